"""What a mixer is given by the system, in processes of its own, with and without the right to it."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.privileges import CAP_IPC_LOCK, capable, may_have, needs_realtime, needs_root

SCRIPT = """
import json, os, resource, sys
from mixer import privileges
from mixer.protocol import MixerConfig

given = json.loads(sys.argv[1])
for limit, value in given.pop("limits", {}).items():
    resource.setrlimit(getattr(resource, limit), (value, value))
if given.pop("nobody", False):
    os.setresuid(65534, 65534, 65534)
run_away = given.pop("run_away", False)
if run_away:
    privileges.PATIENCE_US = 50_000
claimed = privileges.Privileges()
claimed.claim(MixerConfig("test", **given))
news = claimed.take_news()
if run_away:
    later = []
    while not later:
        later = claimed.take_news()
    news += later
locked = next(line for line in open("/proc/self/status") if line.startswith("VmLck"))
child = os.fork()
if child == 0:
    os._exit(os.sched_getscheduler(0) & 255)
print(json.dumps({
    "news": [[line.level, line.event, line.fields] for line in news],
    "scheduler": os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK,
    "childs_scheduler": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]),
    "priority": os.sched_getparam(0).sched_priority,
    "cores": sorted(os.sched_getaffinity(0)),
    "locked_kb": int(locked.split()[1]),
    "computing_us": resource.getrlimit(resource.RLIMIT_RTTIME),
}))
"""


def claim(**given: Any) -> dict[str, Any]:
    """Let a process claim what a `MixerConfig` says, and then look at itself."""
    command = [sys.executable, "-c", SCRIPT, json.dumps(given)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    said = subprocess.run(command, check=True, capture_output=True, timeout=30, env=environment)
    result: dict[str, Any] = json.loads(said.stdout)
    return result


@needs_realtime
@pytest.mark.parametrize("scheduling", ["auto", "realtime"])
def test_realtime_is_first_in_first_out_guarded_and_for_no_child(scheduling: str) -> None:
    got = claim(scheduling=scheduling)
    ((level, event, fields),) = got["news"]
    assert (level, event) == ("info", "mixer started")
    assert (fields["scheduling"], fields["priority"], fields["refused"]) == ("realtime", 10, None)
    assert (got["scheduler"], got["priority"]) == (os.SCHED_FIFO, 10)
    assert got["childs_scheduler"] == os.SCHED_OTHER
    soft_us, hard_us = got["computing_us"]
    assert 0 < soft_us <= 1_000_000 < hard_us <= 8_000_000


def test_normal_is_neither_realtime_nor_limited() -> None:
    got = claim(scheduling="normal")
    ((level, _, fields),) = got["news"]
    assert (level, fields["scheduling"], fields["priority"]) == ("info", "normal", None)
    assert fields["niceness"] <= os.getpriority(os.PRIO_PROCESS, 0)
    assert (got["scheduler"], got["locked_kb"]) == (os.SCHED_OTHER, 0)
    assert got["computing_us"] == list(resource.getrlimit(resource.RLIMIT_RTTIME))
    assert got["cores"] == sorted(os.sched_getaffinity(0))


@needs_realtime
def test_a_mixer_that_never_sleeps_becomes_an_ordinary_one_and_says_so() -> None:
    got = claim(scheduling="realtime", run_away=True)
    (_, _, before), (level, event, after) = got["news"]
    assert before["scheduling"] == "realtime"
    assert (level, event, after["scheduling"]) == ("warning", "mixer is no longer real-time", "normal")
    assert got["scheduler"] == os.SCHED_OTHER


@needs_root
def test_without_the_right_auto_is_content_and_realtime_complains() -> None:
    for scheduling, level, refused in (
        ("auto", "info", None),
        ("realtime", "warning", "realtime: Operation not permitted"),
    ):
        got = claim(scheduling=scheduling, nobody=True, limits={"RLIMIT_RTPRIO": 0})
        ((said, _, fields),) = got["news"]
        assert (said, fields["scheduling"], fields["refused"]) == (level, "normal", refused)
        assert got["scheduler"] == os.SCHED_OTHER


@needs_root
@pytest.mark.skipif(not may_have(resource.RLIMIT_RTPRIO, 10), reason="limits may not be raised here")
def test_a_limit_of_real_time_priority_is_enough_without_privileges() -> None:
    got = claim(scheduling="auto", nobody=True, limits={"RLIMIT_RTPRIO": 10})
    assert (got["scheduler"], got["priority"]) == (os.SCHED_FIFO, 10)
    got = claim(scheduling="realtime", nobody=True, limits={"RLIMIT_RTPRIO": 10}, run_away=True)
    assert got["scheduler"] == os.SCHED_OTHER


def test_a_mixer_runs_on_the_cores_it_is_told_and_on_no_other() -> None:
    for core in sorted(os.sched_getaffinity(0)):
        got = claim(cores=[core])
        assert got["cores"] == [core]
        assert got["news"][0][2]["cores"] == str(core)


def test_cores_that_are_not_there_are_named_and_cost_nothing() -> None:
    got = claim(cores=[1023])
    ((level, _, fields),) = got["news"]
    assert (level, fields["refused"]) == ("warning", "cores: Invalid argument")
    assert got["cores"] == sorted(os.sched_getaffinity(0))


@pytest.mark.skipif(not capable(CAP_IPC_LOCK), reason="memory may not be locked here")
def test_memory_is_locked_where_that_is_allowed() -> None:
    got = claim(lock_memory=True)
    assert got["news"][0][2]["memory_locked"] is True
    assert got["locked_kb"] > 10_000


@needs_root
def test_a_limited_amount_of_memory_is_not_locked_at_all() -> None:
    got = claim(lock_memory=True, nobody=True, limits={"RLIMIT_MEMLOCK": 1 << 22})
    ((level, _, fields),) = got["news"]
    assert (level, fields["memory_locked"]) == ("warning", False)
    assert fields["refused"] == "lock_memory: RLIMIT_MEMLOCK is not unlimited"
    assert got["locked_kb"] == 0


@needs_root
@pytest.mark.skipif(
    not may_have(resource.RLIMIT_MEMLOCK, resource.RLIM_INFINITY), reason="limits may not be raised here"
)
def test_an_unlimited_amount_of_memory_is_locked_without_privileges() -> None:
    got = claim(lock_memory=True, nobody=True, limits={"RLIMIT_MEMLOCK": resource.RLIM_INFINITY})
    assert got["news"][0][2]["memory_locked"] is True
