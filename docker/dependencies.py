"""Prints what Parley needs at run time, a requirement a line; the image installs these before the source.

Run as `python dependencies.py pyproject.toml`.
"""

import sys
import tomllib
from pathlib import Path

EXTRAS = ("denoise", "kernels", "postgres", "s3")
"""What a setting may ask for: whoever runs an image cannot install it afterwards."""

project = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
wanted = [*project["dependencies"], *(need for name in EXTRAS for need in project["optional-dependencies"][name])]
print(*wanted, sep="\n")
