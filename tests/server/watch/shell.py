"""The command line as a shell runs it."""

import asyncio

from server import cli


async def run(*arguments: str) -> int:
    """Run the command line in a thread, as it blocks; return its exit code."""

    def main() -> int:
        try:
            cli.main(arguments)
        except SystemExit as ended:
            return int(ended.code or 0)
        raise AssertionError("the command line always ends by SystemExit")

    return await asyncio.to_thread(main)
