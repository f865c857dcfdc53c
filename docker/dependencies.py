"""Prints what Parley needs at run time, a requirement a line; the image installs these before the source.

Run as `python dependencies.py pyproject.toml`.
"""

import sys
import tomllib
from pathlib import Path

print(*tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]["dependencies"], sep="\n")
