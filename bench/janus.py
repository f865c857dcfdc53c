"""Janus with its AudioBridge, as Debian packages it, to be measured beside: started, spoken to, stopped.

It runs from a folder of its own, reachable by a Unix socket in that folder; participants are plain RTP ones, on
loopback. Only what the AudioBridge needs is loaded. The words here (room, handle, session, quality) are its API's.
"""

import itertools
import json
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench import pinned
from server.caller.codecs import codec
from server.loadtest.joining import Seat

PROGRAM: Final = "janus"
MISSING: Final = (
    "Janus is not installed, so nothing is compared with it: `apt-get install --no-install-recommends janus` on "
    "Debian or Ubuntu installs it, and the service it starts should be stopped."
)
READY_WITHIN_S: Final = 15.0
_ANSWER_WITHIN_S: Final = 10.0
_STOP_WITHIN_S: Final = 10.0
_ROOM_READY_S: Final = 0.5
"""A mixer's thread that is not waiting yet misses that the first participant came, and then mixes nothing for ever."""
_RTP_PORTS: Final = "36000-39999"
_PLUGIN: Final = "libjanus_audiobridge.so"
_TRANSPORT: Final = "libjanus_pfunix.so"
_MESSAGE_BYTES: Final = 1 << 20
_LIBRARIES: Final = ("/usr/lib/*/janus", "/usr/lib/janus", "/usr/local/lib/janus")


class JanusError(Exception):
    """It did not start, or refused something; the message says what and shows its log."""


@dataclass(frozen=True)
class Coding:
    """How a room encodes Opus for its listeners; None: what Janus does by itself."""

    complexity: int | None = None
    """1 to 10; Janus' own default is 4."""
    bitrate: int | None = None
    """bit/s; by default libopus decides."""

    def describe(self) -> str:
        """For the table."""
        complexity = "default (4)" if self.complexity is None else str(self.complexity)
        bitrate = "libopus' choice" if self.bitrate is None else f"{self.bitrate // 1000} kbit/s"
        return f"VoIP, complexity {complexity}, {bitrate}"


def installed() -> bool:
    """Whether there is a Janus to compare with."""
    return shutil.which(PROGRAM) is not None and _libraries() is not None


def _libraries() -> Path | None:
    """The folder of its plugins and transports."""
    found = (path for pattern in _LIBRARIES for path in sorted(Path("/").glob(pattern.lstrip("/"))))
    return next((path for path in found if (path / "plugins" / _PLUGIN).exists()), None)


def version() -> str:
    """Its version, as the program says it."""
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\d+\.\d+\.\d+", said)
    return match.group() if match else "of unknown version"


def configuration(folder: Path, libraries: Path) -> dict[str, str]:
    """Its configuration files: name → text."""
    others = {
        kind: ",".join(sorted(path.name for path in (libraries / kind).glob("*.so") if path.name != wanted))
        for kind, wanted in (("plugins", _PLUGIN), ("transports", _TRANSPORT))
    }
    return {
        "janus.jcfg": f"""
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{libraries}/plugins"
    transports_folder = "{libraries}/transports"
    events_folder = "{folder}/none"
    loggers_folder = "{folder}/none"
    debug_level = 4
    debug_colors = false
    session_timeout = 0
    interface = "127.0.0.1"
}}
plugins: {{ disable = "{others["plugins"]}" }}
transports: {{ disable = "{others["transports"]}" }}
""",
        "janus.transport.pfunix.jcfg": f"""
general: {{ enabled = true json = "compact" path = "{folder}/api" type = "SOCK_SEQPACKET" }}
admin: {{ admin_enabled = false }}
""",
        "janus.plugin.audiobridge.jcfg": f"""
general: {{ rtp_port_range = "{_RTP_PORTS}" local_ip = "127.0.0.1" }}
""",
    }


class Api:
    """Its API on the Unix socket: one request at a time, each answered before the next."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_ANSWER_WITHIN_S)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self._socket.close()

    def ask(self, request: str, **fields: Any) -> dict[str, Any]:
        """Send a request; return its answer, which for slow ones comes after an acknowledgement."""
        transaction = str(next(self._numbers))
        self._socket.send(json.dumps({"janus": request, "transaction": transaction, **fields}).encode())
        while True:
            answer: dict[str, Any] = json.loads(self._socket.recv(_MESSAGE_BYTES))
            if answer.get("transaction") != transaction or answer["janus"] == "ack":
                continue  # an event that tells one participant of another, or the promise of an answer
            refusal = answer.get("error") or answer.get("plugindata", {}).get("data", {}).get("error")
            if refusal:
                raise JanusError(f"Janus refused {request} {fields.get('body', '')}: {refusal}")
            return answer


class Janus:
    """A running Janus, for as long as the context."""

    def __init__(self, folder: Path, core: int | None) -> None:
        libraries = _libraries()
        if libraries is None:
            raise JanusError(MISSING)
        for name, text in configuration(folder, libraries).items():
            (folder / name).write_text(text)
        self._folder = folder
        self._core = core
        self._log = folder / "janus.log"
        self._process = self._start()
        self._api: Api | None = None
        self._session = 0

    def _start(self) -> subprocess.Popen[bytes]:
        return pinned.start([PROGRAM, "-F", str(self._folder)], self._log, self._core)

    def __enter__(self) -> Self:
        try:
            self._connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _connect(self) -> None:
        """Wait for its socket. The thread of it may end as soon as it begins, by a race of its own: then once more."""
        deadline = time.perf_counter() + READY_WITHIN_S
        while time.perf_counter() < deadline:
            if self._process.poll() is not None:
                self._process = self._start()
            try:
                self._api = Api(self._folder / "api")
                self._session = self._api.ask("create")["data"]["id"]
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise JanusError("Janus did not start" + pinned.log_tail(self._log))

    @property
    def pid(self) -> int:
        return self._process.pid

    def _ask(self, request: str, **fields: Any) -> dict[str, Any]:
        assert self._api is not None
        try:
            return self._api.ask(request, session_id=self._session, **fields)
        except (OSError, ValueError) as error:  # it is gone, or cut off in mid-answer
            raise JanusError(f"Janus does not answer ({error})" + pinned.log_tail(self._log)) from error

    def _handle(self) -> int:
        return int(self._ask("attach", plugin="janus.plugin.audiobridge")["data"]["id"])

    def close(self) -> None:
        if self._api is not None:
            self._api.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Room:
    """A room of its AudioBridge, mixing at the rate of the codec, whose participants join one by one."""

    def __init__(self, janus: Janus, codec_name: str, coding: Coding, addresses: list[tuple[str, int]]) -> None:
        self._janus = janus
        self._codec = codec(codec_name)
        self._coding = coding
        self._addresses = addresses
        self._handles: list[int] = []
        self._owner = janus._handle()
        self._message(
            self._owner,
            request="create",
            room=1,
            is_private=True,
            sampling_rate=self._codec.sample_rate,
            allow_rtp_participants=True,
            audiolevel_ext=False,
        )
        time.sleep(_ROOM_READY_S)

    def _message(self, handle: int, **body: Any) -> dict[str, Any]:
        answer = self._janus._ask("message", handle_id=handle, body=body)
        data: dict[str, Any] = answer["plugindata"]["data"]
        return data

    def join(self, caller: int) -> Seat:
        """Join a caller over plain RTP."""
        ip, port = self._addresses[caller]
        handle = self._janus._handle()
        self._handles.append(handle)
        body: dict[str, Any] = {"codec": self._codec.name, "rtp": {"ip": ip, "port": port}}
        if self._codec.name == "opus":
            body["rtp"]["payload_type"] = self._codec.payload_type
            asked = {"quality": self._coding.complexity, "bitrate": self._coding.bitrate}
            body |= {key: value for key, value in asked.items() if value is not None}
        answer = self._message(handle, request="join", room=1, **body)
        return Seat("1", str(handle), (answer["rtp"]["ip"], answer["rtp"]["port"]))

    def close(self) -> None:
        """End the room, and let go of everyone in it."""
        self._message(self._owner, request="destroy", room=1)
        for handle in [*self._handles, self._owner]:
            self._janus._ask("detach", handle_id=handle)
