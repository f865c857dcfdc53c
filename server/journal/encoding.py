"""How JSON is written into the journal."""

import json
from typing import Final

# `json.dumps` would make an encoder for each value. ASCII only: a lone surrogate, which JSON allows, has no UTF-8.
to_json: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
"""Return a value as JSON text; `ValueError` for a number that JSON does not have."""
