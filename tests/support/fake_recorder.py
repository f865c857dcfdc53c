"""A recorder without recordings: it says what it was given, and does what it is told.

`linger` in its config: when its server is gone, it waits for a file `go` beside that one, and then writes it.
"""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any


def run(control: socket.socket, feed_fd: int, config: dict[str, Any]) -> int:
    control.send(json.dumps({"config": config, "feed": os.pread(feed_fd, 100, 0).decode()}).encode())
    match control.recv(100):
        case b"exit":
            return 3
        case b"raise":
            raise RuntimeError("as requested")
    lingers = Path(config["linger"])
    while not (lingers.parent / "go").exists():
        time.sleep(0.01)
    lingers.write_text("published")
    return 0
