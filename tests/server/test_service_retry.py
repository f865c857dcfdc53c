import pytest

from server import service_retry
from server.errors import ParleyError
from server.journal import JournalUnavailable
from server.service_retry import until_written

UNAVAILABLE = ParleyError("journal_unavailable", "the disk is full")


class Act:
    """Fails with each of `failures` in turn, then comes to its end."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.tried = list(failures), 0

    async def __call__(self) -> str:
        self.tried += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_retry, "RETRY_S", 0.0)


async def test_it_is_done_again_until_it_is_written() -> None:
    act = Act(UNAVAILABLE, JournalUnavailable("locked"), UNAVAILABLE)
    assert await until_written(act) == "done"
    assert act.tried == 4


async def test_what_is_refused_is_not_tried_again() -> None:
    act = Act(ParleyError("not_in_conference", "it has left"))
    with pytest.raises(ParleyError, match="it has left"):
        await until_written(act)
    assert act.tried == 1


@pytest.mark.parametrize("failure", [UNAVAILABLE, JournalUnavailable("locked")])
async def test_it_ends_once_it_is_given_up(failure: Exception) -> None:
    act = Act(failure, failure, failure)
    with pytest.raises(type(failure)):
        await until_written(act, given_up=lambda: act.tried == 2)
    assert act.tried == 2
