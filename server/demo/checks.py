"""What must hold for the demo to pass: each check looks at what happened and gives a line that says so.

Pure: what happened and a table of who heard whom in, `Line`s out.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from server.caller.session import Counts
from server.demo.analysis import Cell, Hearing
from server.demo.receiver import Told
from server.demo.talk import Recorded

OTHERS_WITHIN_DB: Final = 3.0
OWN_BELOW_DB: Final = -30.0
DELAY_BELOW_MS: Final = 150.0
"""ITU-T G.114: up to here nobody notices."""
LATE_BELOW: Final = 0.01
"""Part of the ticks. Nobody hears a late tick, and a machine that is busy with something else may have a few."""
LOST_BELOW: Final = 0.005
_PACKET_MS: Final = 20.0
RECORDING: Final = "the recording"
"""The listener that is no caller."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the demo's result."""

    name: str
    held: bool
    text: str


def cell_holds(listener: str, talker: str, cell: Cell | None) -> bool:
    """Whether a cell of the table is right: others as loud as they spoke, oneself not at all."""
    if cell is None:
        return False
    if listener == talker:
        return cell.gain_db < OWN_BELOW_DB
    return abs(cell.gain_db) <= OTHERS_WITHIN_DB


def check_hearing(hearing: Hearing, names: list[str]) -> Line:
    """Everyone heard exactly the others."""
    pairs = [(listener, talker) for listener in names for talker in names]
    wrong = [pair for pair in pairs if not cell_holds(*pair, hearing.get(pair))]
    if not wrong:
        return Line("who heard whom", True, f"{len(pairs)} of {len(pairs)} cells right")
    faults = [
        f"{listener} hears their own voice" if listener == talker else f"{listener} does not hear {talker} right"
        for listener, talker in wrong
    ]
    return Line("who heard whom", False, "; ".join(faults))


def mouth_to_ear_ms(hearing: Hearing) -> list[float]:
    """Delay of each voice at each other caller, sorted; the 20 ms in which a packet fills are counted in."""
    delays = [cell.delay_s for (listener, talker), cell in hearing.items() if listener != talker]
    return sorted(delay_s * 1000 + _PACKET_MS for delay_s in delays)


def check_delay(hearing: Hearing) -> Line:
    """Nobody waits for an answer."""
    delays = mouth_to_ear_ms(hearing)
    if not delays:
        return Line("mouth to ear", False, "nothing was heard")
    text = f"{delays[0]:.0f} to {delays[-1]:.0f} ms (limit {DELAY_BELOW_MS:.0f})"
    return Line("mouth to ear", delays[-1] < DELAY_BELOW_MS, text)


def check_ticks(stats: Mapping[str, Any]) -> Line:
    """The mixer kept its time."""
    mixer = stats["mixer"]
    ticks, late = int(mixer["ticks"]), int(mixer["late_ticks"])
    lateness = mixer["lateness_ms"]
    text = f"{late} of {ticks} late; wake-up lateness p50 {lateness['p50']:.2f}, p99 {lateness['p99']:.2f} ms"
    return Line("mixer ticks", ticks > 0 and late <= LATE_BELOW * ticks, text)


def check_packets(counts: Mapping[str, Counts], stats: Mapping[str, Any]) -> Line:
    """Packets arrived, both ways."""
    sent, received = sum(c.sent for c in counts.values()), sum(c.received for c in counts.values())
    lost_there = sum(int(call["lost"]) for call in stats["calls"])
    lost_here = sum(count.lost for count in counts.values())
    text = f"{sent} sent, {lost_there} lost; {received} received, {lost_here} lost"
    enough = bool(counts) and all(count.received > 0 for count in counts.values())
    held = lost_there <= LOST_BELOW * sent and lost_here <= LOST_BELOW * received
    return Line("packets", enough and held, text)


def check_events(events: list[dict[str, Any]], call_ids: Mapping[str, str]) -> Line:
    """The log tells the whole story, each once and in order."""
    sequences = [event["sequence"] for event in events]
    statuses = Counter(event["params"]["status"] for event in events)
    joined, left = (
        sorted(event["params"]["call_id"] for event in events if event["params"]["status"] == status)
        for status in ("participant-join", "participant-leave")
    )
    everyone = sorted(call_ids.values())
    faults = []
    if sequences != list(range(1, len(events) + 1)):
        faults.append(f"sequence numbers {sequences}")
    if joined != everyone:
        faults.append(f"{len(joined)} joins")
    if left != everyone:
        faults.append(f"{len(left)} leaves")
    faults += [f"{statuses[name]} x {name}" for name in ("conference-start", "conference-end") if statuses[name] != 1]
    last = [event["params"]["status"] for event in events][-2:]
    if last != ["conference-end", "record-stop"]:
        faults.append(f"the last are {' and '.join(last)}")
    if faults:
        return Line("events", False, f"{len(events)} logged, but: " + ", ".join(faults))
    return Line("events", True, f"{len(events)} logged, 1 to {len(events)} without a gap, the end last")


def check_webhooks(events: list[dict[str, Any]], told: Told) -> Line:
    """Every event was delivered, once or more, in order and genuine."""
    expected = [event["id"] for event in events]
    first_told = list(dict.fromkeys(event["id"] for event in told.events))
    faults = []
    if told.forged:
        faults.append(f"{told.forged} with a wrong signature")
    if missing := len(set(expected) - set(first_told)):
        faults.append(f"{missing} missing")
    if not missing and first_told != expected:
        faults.append("out of order")
    if any(dict(event) not in events for event in told.events):
        faults.append("not as they were logged")
    text = f"{len(first_told)} of {len(expected)} delivered"
    if faults:
        return Line("webhooks", False, f"{text}, but: " + ", ".join(faults))
    return Line("webhooks", True, f"{text}, in order, every signature verified")


def check_recording(hearing: Hearing, recorded: Recorded, call_ids: Mapping[str, str]) -> Line:
    """The recording has all voices, as loud as they were said, and a track of each."""
    recording = recorded.recording
    if not recorded.audio:
        return Line("recording", False, f"there is none; its status is {recording.get('status', 'unknown')}")
    faults = []
    if sha256(recorded.audio).hexdigest() != recording["sha256"]:
        faults.append("its hash is wrong")
    hashes = {call_id: sha256(track).hexdigest() for call_id, track in recorded.tracks.items()}
    if any(hashes[track["call_id"]] != track["sha256"] for track in recording["tracks"]):
        faults.append("the hash of a track is wrong")
    if {track["call_id"] for track in recording["tracks"]} != set(call_ids.values()):
        faults.append(f"{len(recording['tracks'])} tracks")
    quiet = [who for who in call_ids if not cell_holds(RECORDING, who, hearing.get((RECORDING, who)))]
    faults += [f"{who} is not in it right" for who in quiet]
    text = f"{recording['duration_s']:.1f} s, {len(recording['tracks'])} tracks"
    if faults:
        return Line("recording", False, f"{text}, but: " + ", ".join(faults))
    return Line("recording", True, f"{text}, all voices in it, hashes right")


def check_exit(code: int | None) -> Line:
    """SIGTERM stops the server in order."""
    text = "did not stop on SIGTERM and was killed" if code is None else f"SIGTERM, exit code {code}"
    return Line("server stopped", code == 0, text)
