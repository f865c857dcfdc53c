from sqlalchemy import select

from server.journal import Journal, RememberedAnswer
from server.journal.tables import idempotency

DAY_S = 24 * 3600.0
FIRST = RememberedAnswer("hash-1", 201, '{"call_id":"a"}')
OTHER = RememberedAnswer("hash-2", 409, "{}")
SCOPE = "key-1 POST /v1/calls"


async def test_the_first_answer_is_given_again(journal: Journal) -> None:
    assert await journal.recall("k", SCOPE, 1000.0) is None
    await journal.remember("k", SCOPE, FIRST, 1000.0)
    assert await journal.recall("k", SCOPE, 1001.0) == FIRST


async def test_the_first_answer_stays(journal: Journal) -> None:
    await journal.remember("k", SCOPE, FIRST, 1000.0)
    await journal.remember("k", SCOPE, OTHER, 1001.0)
    assert await journal.recall("k", SCOPE, 1002.0) == FIRST


async def test_a_key_counts_within_its_scope(journal: Journal) -> None:
    await journal.remember("k", SCOPE, FIRST, 1000.0)
    await journal.remember("k", "key-2 POST /v1/calls", OTHER, 1000.0)
    assert await journal.recall("k", SCOPE, 1001.0) == FIRST
    assert await journal.recall("k", "key-2 POST /v1/calls", 1001.0) == OTHER
    assert await journal.recall("k", "key-1 POST /v1/calls/a/leave_conference", 1001.0) is None
    assert await journal.recall("K", SCOPE, 1001.0) is None


async def test_answers_are_kept_for_a_day(journal: Journal) -> None:
    await journal.remember("k", SCOPE, FIRST, 1000.0)
    assert await journal.recall("k", SCOPE, 1000.0 + DAY_S - 1) == FIRST
    assert await journal.recall("k", SCOPE, 1000.0 + DAY_S) is None
    await journal.remember("k", SCOPE, OTHER, 1000.0 + DAY_S)
    assert await journal.recall("k", SCOPE, 1001.0 + DAY_S) == OTHER
    await journal.remember("unrelated", SCOPE, FIRST, 1001.0 + 2 * DAY_S)
    with journal._read_engine.begin() as connection:
        assert connection.scalars(select(idempotency.c.key)).all() == ["unrelated"]


async def test_answers_survive_a_restart(url: str, journal: Journal) -> None:
    await journal.remember("k", SCOPE, FIRST, 1000.0)
    await journal.close()
    again = Journal(url)
    await again.open()
    try:
        assert await again.recall("k", SCOPE, 1001.0) == FIRST
    finally:
        await again.close()
