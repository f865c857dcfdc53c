#!/bin/sh
# Writes requirements.lock: the newest versions that pyproject.toml allows, resolved in an empty environment.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/python.sh
. scripts/python.sh

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

"$PYTHON" -m venv "$temporary/venv"
"$temporary/venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input '.[denoise,dev,kernels,postgres,postgres-server,quality]'
{
    echo "# Every package that Parley is run, tested and benchmarked with. Written by \`make lock\`; pip takes it as a constraint."
    "$temporary/venv/bin/python" -m pip freeze --disable-pip-version-check --exclude parley
} >"$temporary/lock"
mv "$temporary/lock" requirements.lock
