#!/bin/sh
# Makes .venv hold what pyproject.toml and requirements.lock say. `make setup` runs it when one of them is newer.
set -eu
cd "$(dirname "$0")/.."

# An environment whose Python has gone or is too old is of no use; any other one is kept and brought up to date.
if ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    # shellcheck source=scripts/python.sh
    . scripts/python.sh
    echo "Setting up .venv with Python $PYTHON_VERSION; the first time takes about a minute."
    rm -rf .venv
    "$PYTHON" -m venv .venv
fi

install() {
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input --constraint requirements.lock "$@"
}

install --editable '.[dev,postgres]'

# PESQ comes as C source only. A machine that cannot compile it does without: the tests that need it are skipped.
if ! command -v cc >/dev/null 2>&1 || ! install --editable '.[quality]' 2>/dev/null; then
    echo "PESQ could not be built (it needs a C compiler and Python's headers): tests that use it will be skipped."
fi

if ! install --editable '.[denoise]' 2>/dev/null; then
    echo "There is no noise suppression to be had for this machine: tests that use it will be skipped."
fi

if ! install --editable '.[postgres-server]' 2>/dev/null; then
    echo "There is no PostgreSQL to be had for this machine: tests that use it will be skipped."
fi

# What is compiled here no server has to compile at its first start; that takes some ten seconds.
if ! install --editable '.[kernels]' 2>/dev/null; then
    echo "There is no numba to be had for this machine: mixers will do everything with numpy, at about twice the cost."
fi
.venv/bin/python -m mixer.kernels
