#!/usr/bin/env bash
# Let ffmpeg talk and listen in a conference: no SIP, no browser, only RTP.
#
#   examples/ffmpeg_join.sh CONFERENCE SPEECH_FILE [HEARD.wav]
#
# Start a server first:  python -m server --dev
# Someone else should be in the conference, or there is nothing to hear:
#   python -m server call CONFERENCE --play speech.wav --loop
#
# PARLEY_URL       where the server is (http://127.0.0.1:8080)
# PARLEY_API_KEY   id:secret, if the server wants one
# PARLEY_LOCAL_IP  this machine's address as the server sees it (127.0.0.1)
set -euo pipefail

if [[ $# -lt 2 ]]; then
    echo "usage: $0 CONFERENCE SPEECH_FILE [HEARD.wav]" >&2
    exit 2
fi
conference=$1
speech=$2
heard=${3:-heard.wav}
url=${PARLEY_URL:-http://127.0.0.1:8080}
local_ip=${PARLEY_LOCAL_IP:-127.0.0.1}

for tool in curl jq ffmpeg; do
    if ! command -v "$tool" >/dev/null; then
        echo "This example needs $tool." >&2
        exit 1
    fi
done
if [[ ! -r $speech ]]; then
    echo "There is no file $speech." >&2
    exit 1
fi

work=$(mktemp -d)
calls=()
listener=

# api METHOD PATH [JSON]: one request to the server; the problem's words on standard error if it refuses.
api() {
    local method=$1 path=$2 body=${3:-} status
    local options=(--silent --show-error --request "$method" --output "$work/answer" --write-out '%{http_code}')
    if [[ -n ${PARLEY_API_KEY:-} ]]; then
        options+=(--header "Authorization: Bearer $PARLEY_API_KEY")
    fi
    if [[ -n $body ]]; then
        options+=(--header 'Content-Type: application/json' --data "$body")
    fi
    if ! status=$(curl "${options[@]}" "$url$path"); then
        echo "No server at $url. Start one with: python -m server --dev" >&2
        return 1
    fi
    if [[ $status -ge 400 ]]; then
        echo "The server refused: $(jq -r '.detail // .title' "$work/answer")" >&2
        return 1
    fi
    cat "$work/answer"
}

# Whatever happens, hang up both calls and let the listening ffmpeg finish its file.
leave() {
    if [[ -n $listener ]]; then
        kill -INT "$listener" 2>/dev/null || true
        wait "$listener" 2>/dev/null || true
        listener=
    fi
    for call in "${calls[@]}"; do
        api DELETE "/v1/calls/$call" >/dev/null || true
    done
    rm -rf "$work"
}
trap leave EXIT

# Two even UDP ports that nobody uses now: ffmpeg takes each one and the next (for RTCP).
free_port() {
    local port
    while true; do
        port=$((33000 + RANDOM % 13000 * 2))
        if ! grep -qi ":$(printf '%04X' "$port") " /proc/net/udp; then
            echo "$port"
            return
        fi
    done
}
talk_port=$(free_port)
listen_port=$(free_port)
while [[ $listen_port == "$talk_port" ]]; do
    listen_port=$(free_port)
done

# One ffmpeg cannot send and receive on the same port, so there are two participants, each with a port of its own:
# one that only talks and one that only listens. The server takes RTP from exactly the address given here and from
# nowhere else, and sends to exactly that address.
# join PORT DIRECTION: prints the answer.
join() {
    local name rtp
    name=$(jq -rn --arg name "$conference" '$name | @uri')
    rtp=$(jq -cn --arg ip "$local_ip" --argjson port "$1" --arg direction "$2" \
        '{ip: $ip, port: $port, codec: "pcmu", direction: $direction}')
    api POST "/v1/conferences/$name/participants" "{\"media\": {\"rtp\": $rtp}}"
}

listening=$(join "$listen_port" recvonly)
calls+=("$(jq -r .call_id <<<"$listening")")
talking=$(join "$talk_port" sendonly)
calls+=("$(jq -r .call_id <<<"$talking")")
server_ip=$(jq -r .media.rtp.ip <<<"$talking")
server_port=$(jq -r .media.rtp.port <<<"$talking")

# To listen, ffmpeg wants to be told by SDP what comes in at which port. Payload type 0 is PCMU at 8 kHz (RFC 3551).
cat >"$work/listen.sdp" <<SDP
v=0
o=- 0 0 IN IP4 $local_ip
s=$conference
c=IN IP4 $local_ip
t=0 0
m=audio $listen_port RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=recvonly
SDP
ffmpeg -nostdin -hide_banner -loglevel error -y -protocol_whitelist file,rtp,udp \
    -i "$work/listen.sdp" -acodec pcm_s16le "$heard" &
listener=$!

# To talk: -re sends at the speed of speech, and frames of 160 samples make packets of 20 ms. They must come from the
# port that the join named, hence localrtpport. The server has RTP and RTCP on one port (RFC 5761), hence rtcpport.
echo "In conference $conference at $server_ip:$server_port, talking from port $talk_port, listening on $listen_port."
rtp_url="rtp://$server_ip:$server_port?rtcpport=$server_port&pkt_size=172"
rtp_url+="&localrtpport=$talk_port&localrtcpport=$((talk_port + 1))"
ffmpeg -nostdin -hide_banner -loglevel error -re -i "$speech" -vn -ac 1 -af aresample=8000,asetnsamples=n=160 \
    -acodec pcm_mulaw -f rtp -payload_type 0 "$rtp_url" >/dev/null # it prints an SDP that nobody needs here

sleep 1 # the others may still be answering
leave
trap - EXIT
echo "Heard: $heard"
