# shellcheck shell=sh disable=SC2034
# Sets PYTHON to a Python that Parley can run on, or says what is missing and exits. Sourced by setup.sh and lock.sh.
#
# $1: the Python to use, if the user named one. Otherwise the usual names are tried, the system's own first.

candidates=${1:-python3 python3.13 python3.12 python3.11 python3.14 python}
PYTHON=
too_old=
without_venv=

for candidate in $candidates; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    version=$("$candidate" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
    if ! "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        too_old="$too_old $candidate is $version."
    # Debian and Ubuntu ship Python without the means to make a virtual environment.
    elif ! "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
        without_venv=${without_venv:-$candidate ($version)}
    else
        PYTHON=$candidate
        PYTHON_VERSION=$version
        break
    fi
done

if [ -z "$PYTHON" ]; then
    if [ -n "$without_venv" ]; then
        echo "Parley: $without_venv cannot make a virtual environment: its venv or ensurepip module is missing." >&2
        echo "  On Debian and Ubuntu: apt install python3-venv" >&2
    else
        echo "Parley needs Python 3.11 or newer and found none under: $candidates.$too_old" >&2
    fi
    echo "  Or name another one: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi
