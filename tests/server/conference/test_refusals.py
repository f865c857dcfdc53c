from server.conference.refusals import REFUSAL_CODES, Refusal
from server.errors import ERRORS


def test_a_refusal_says_what_and_why() -> None:
    refusal = Refusal("conference_full", "the conference 'x' has its 2 participants")
    assert (refusal.code, refusal.detail) == ("conference_full", "the conference 'x' has its 2 participants")
    assert str(refusal) == "conference_full: the conference 'x' has its 2 participants"


def test_every_refusal_has_its_status_on_http() -> None:
    assert ERRORS.keys() >= REFUSAL_CODES
