"""`python -m bench.kills`: kill the server again and again under load, and count what became of every event."""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.kills.run import LOST, REFUSED, Plan, Result, run
from bench.kills.victim import VictimError


def main() -> int:
    parser = argparse.ArgumentParser("python -m bench.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="chooses the moments and the receiver's answers")
    parser.add_argument("--clients", type=int, default=3, help="conferences at the same time")
    parser.add_argument("--requests", type=int, default=100, help="webhook requests between two kills, on average")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="parley-kills-") as folder:
        try:
            result = run(
                Plan(options.kills, options.seed, options.clients, options.requests),
                Path(folder),
                lambda what: print(f"  {what}", file=sys.stderr, flush=True),
            )
        except VictimError as error:
            print(error, file=sys.stderr)
            return 1
    print(describe(result))
    for kind, what in result.faults().items():
        print(f"! {kind}: {json.dumps(what)[:2000]}")
    return 1 if result.faults() else 0


def describe(result: Result) -> str:
    """The result, for people."""
    counted, refused = result.account, sum(result.answers.get(kind, 0) for kind in ("break", "later", "close"))
    requests = sum(result.answers.values())
    gone_ms = [1000 * gone_s for gone_s in result.orphans_gone_s]
    return "\n".join(
        (
            f"{result.kills} kills, {result.killed_while_starting} of them while it started, in {result.seconds:.0f} s",
            f"{counted.conferences} conferences; {counted.logged} events logged, {counted.subscribed} asked for, "
            f"{counted.accepted} of them accepted over HTTP",
            f"{requests} requests: {refused} refused ({REFUSED:.0%} wanted), {result.answers.get('lose', 0)} "
            f"acknowledgements lost ({LOST:.0%} wanted)",
            f"{counted.received} different events received, {len(counted.lost)} lost, {len(counted.unknown)} unknown, "
            f"{len(counted.out_of_order)} out of order, {counted.duplicates} duplicates",
            f"nothing left of a killed server after {median(gone_ms):.0f} ms (p50), {max(gone_ms):.0f} ms at most",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
