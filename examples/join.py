"""A whole caller in twenty lines: one HTTP request, then RTP both ways on one UDP socket. Beeps for five seconds.

Start a server (python -m server --dev), then: python examples/join.py
"""

import os
import socket
import struct
import time

import httpx2

URL = os.environ.get("PARLEY_URL", "http://127.0.0.1:8080")
# PCMU (G.711): a byte a sample, 8 000 a second. Ten samples up, ten samples down make a square wave of 400 Hz.
BEEP = (b"\xa5" * 10 + b"\x25" * 10) * 8
QUIET = b"\xff" * 160

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp:
    rtp.bind(("127.0.0.1", 0))
    rtp.setblocking(False)
    media = {"rtp": {"ip": "127.0.0.1", "port": rtp.getsockname()[1], "codec": "pcmu"}}
    answer = httpx2.post(f"{URL}/v1/conferences/hello/participants", json={"media": media})
    answer.raise_for_status()
    remote = answer.json()["media"]["rtp"]
    heard = 0
    start = time.perf_counter()
    for number in range(250):
        # RTP (RFC 3550): version 2, payload type 0, sequence number, timestamp in samples, any SSRC.
        header = struct.pack("!BBHII", 0x80, 0, number, number * 160, 0x1234)
        rtp.sendto(header + (BEEP if number % 50 < 10 else QUIET), (remote["ip"], remote["port"]))
        time.sleep(max(0.0, start + (number + 1) * 0.02 - time.perf_counter()))  # one packet every 20 ms
        try:
            while rtp.recv(2048):
                heard += 1
        except BlockingIOError:
            pass
    httpx2.delete(f"{URL}/v1/calls/{answer.json()['call_id']}")
    print(f"Sent 250 packets to {remote['ip']}:{remote['port']}, heard {heard}.")
