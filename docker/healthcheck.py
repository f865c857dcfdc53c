"""The container's health check: exit 0 if the server in this container answers `GET /healthz` with 200.

The slim image has no curl. `/healthz` needs no key and stays 200 while the server drains.
"""

import os
import sys
import urllib.request

url = f"http://127.0.0.1:{os.environ.get('PARLEY_PORT', '8080')}/healthz"
# No proxy: the environment may name one, and it cannot reach this container's loopback.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    with opener.open(url, timeout=4) as answer:
        healthy = answer.status == 200
except OSError as error:
    print(f"{url}: {error}", file=sys.stderr)
    healthy = False
sys.exit(0 if healthy else 1)
