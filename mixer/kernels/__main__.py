"""`python -m mixer.kernels`: compile the mixer's loops ahead, once for each machine and version."""

import sys

from mixer.kernels import cache


def main() -> int:
    """Compile unless that was done; returns the exit code."""
    if cache.ready():
        return 0
    try:
        with cache.alone():
            if not cache.ready():
                cache.compile_all()
    except ImportError:
        print("numba is not installed (the extra `kernels`): mixers will do everything with numpy", file=sys.stderr)
    except OSError as error:
        print(f"nothing can be kept in {cache.directory()}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
