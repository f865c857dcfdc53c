import pytest

from mixer.stats import MINUTE_TICKS, TickTimes
from tests.support.conference import VirtualConference, tone
from tests.support.network import Conditions

MS = 1_000_000


def test_nothing_is_zero() -> None:
    figures = TickTimes().describe(0.0)
    assert (figures.ticks, figures.work_ms.max, figures.lateness_ms.p99) == (0, 0.0, 0.0)
    assert TickTimes().work_p50_ms() == 0.0


def test_late_is_what_went_out_a_tick_after_it_was_due() -> None:
    times = TickTimes()
    for lateness_ms, work_ms in [(0, 5), (15, 5), (15, 6), (30, 0)]:
        times.add(lateness_ms * MS, work_ms * MS, 20 * MS)
    assert (times.ticks, times.late_ticks) == (4, 2)


def test_percentiles_are_of_the_last_minute() -> None:
    times = TickTimes()
    times.add(0, 500 * MS, 20 * MS)
    for number in range(MINUTE_TICKS):
        times.add(0, (1 + number % 100) * MS, 200 * MS)
    figures = times.describe(1.23456)
    assert figures.work_ms.max == 100
    assert figures.work_ms.p50 == pytest.approx(50, abs=1)
    assert figures.work_ms.p99 == pytest.approx(99, abs=1)
    assert figures.cpu_s == 1.235


def test_line_of_a_leg_adds_up() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 10, 8000, 16_384), conditions=Conditions(loss=0.05, duplicate=0.1))
    silent = conference.add("opus")
    conference.run(400)
    lines = {line.call_id: line for line in conference.mixer.stats()}
    said = lines[talker.call_id]
    assert said.packets_out == 400
    assert 400 - talker.link.lost + 20 < said.packets_in < 400 - talker.link.lost + 65
    assert said.concealed == pytest.approx(talker.link.lost, abs=2)
    assert 20 < said.duplicates < 65
    assert said.level_dbov == pytest.approx(-9.0, abs=0.5)
    assert 0 < said.buffer_ms < 45
    assert lines[silent.call_id].packets_in == 0
    assert lines[silent.call_id].level_dbov == -127
