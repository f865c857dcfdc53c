"""`python -m mixer`: the zygote, started once by the server and never by hand.

Decides what is imported before the first fork. Everything a mixer needs must be in memory by then, since the
forks share it, and importing it takes a hundred times as long as a fork.
"""

import argparse
import faulthandler
import importlib
import socket
from typing import Any, Final, cast

from mixer import kernels
from mixer.warmup import warm_up
from mixer.zygote import Record, Run, Zygote

PRELOAD: Final = ("numpy", "av", "cffi")


def main() -> None:
    """Preload, then serve forks until the server closes its end of the socket."""
    parser = argparse.ArgumentParser(prog="python -m mixer", description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="descriptor of the socket to the server")
    parser.add_argument("--run", default="mixer.loop:run", help="what a mixer runs, as module:function")
    parser.add_argument("--record", default="recording.process:run", help="what a recorder runs, likewise")
    arguments = parser.parse_args()
    faulthandler.enable()
    for module in PRELOAD:
        importlib.import_module(module)
    # Before the socket is an object: closed by a failed import, it would tell the server before stderr tells why.
    run, record = cast(Run, _function(arguments.run)), cast(Record, _function(arguments.record))
    kernels.load()
    warm_up()
    Zygote(socket.socket(fileno=arguments.socket), run, record).serve()


def _function(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    main()
