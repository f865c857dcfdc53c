"""What waiting participants hear: rules 4.4."""

import pytest

from server.conference.commands import Leave, Update
from server.conference.directives import Program
from tests.server.conference.rules.support import MUSIC, waiting


@pytest.mark.parametrize("url", [None, "", MUSIC])
def test_4_4_1_each_hears_its_own_wait_url(url: str | None) -> None:
    scenario = waiting("a", wait_url=url)
    scenario.join("b", start_on_enter=False, wait_url="https://example.org/other.ogg", wait_method="POST")
    assert scenario.leg("a").program == Program("wait", url)
    assert scenario.leg("b").program == Program("wait", "https://example.org/other.ogg", "POST")


def test_4_4_2_waiting_audio_never_comes_back() -> None:
    scenario = waiting("a", wait_url=MUSIC)
    scenario.join("s")
    scenario.do(Leave("s"))
    assert scenario.conference.status == "in-progress"
    assert (scenario.leg("a").hears, scenario.leg("a").program) == (True, None)
    scenario.join("b", start_on_enter=False, wait_url=MUSIC)
    assert scenario.leg("b").program is None


def test_4_4_3_the_wait_url_can_be_changed() -> None:
    scenario = waiting("a")
    assert scenario.do(Update("a", wait_url=MUSIC)) == ["participant-modify"]
    assert scenario.leg("a").program == Program("wait", MUSIC)
    assert scenario.do(Update("a", wait_url=MUSIC)) == []
    assert scenario.do(Update("a", muted=True)) == ["participant-mute"]
    assert scenario.leg("a").program == Program("wait", MUSIC)
    assert scenario.do(Update("a", wait_url="")) == ["participant-modify"]
    assert scenario.leg("a").program == Program("wait", "")
    assert scenario.do(Update("a", wait_url=None)) == ["participant-modify"]
    assert scenario.leg("a").program == Program("wait", None)


def test_4_4_4_hold_goes_before_waiting() -> None:
    scenario = waiting("a", wait_url=MUSIC)
    scenario.do(Update("a", hold=True, hold_url=""))
    assert scenario.leg("a").program == Program("hold", "")
    scenario.do(Update("a", hold=False))
    assert scenario.leg("a").program == Program("wait", MUSIC)
    scenario.do(Update("a", hold=True))
    scenario.join("s")
    assert scenario.leg("a").program == Program("hold", None)
    assert scenario.heard() == {"a": "", "s": ""}
    scenario.do(Update("a", hold=False))
    assert scenario.heard() == {"a": "s", "s": "a"}
