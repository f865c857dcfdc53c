import pytest

from server.conference.names import check_label, check_name, check_region
from server.conference.refusals import Refusal


@pytest.mark.parametrize("name", ["a", "x" * 128, "with / slash", "Zoë 会議 \U0001f600", "..", "-", "a b"])
def test_good_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", "\u3000", "x" * 129, "a\0b", "a\nb", "\x7f", "\x9f", "\ud800", "a\u2028b", "a\u2029b", "\t"]
)
def test_bad_names(name: str) -> None:
    with pytest.raises(Refusal, match="name") as refusal:
        check_name(name)
    assert refusal.value.code == "invalid_request"


@pytest.mark.parametrize("label", ["anna", "x" * 128, "CA", "CA123", "deadbeef"])
def test_good_labels(label: str) -> None:
    check_label(label)


@pytest.mark.parametrize(
    "label",
    [
        "",
        "x" * 129,
        "a/b",
        "a\rb",
        "CA0123456789abcdef0123456789ABCDEF",
        "0123456789abcdef0123456789abcdef",
        "01234567-89ab-cdef-0123-456789abcdef",
    ],
)
def test_bad_labels(label: str) -> None:
    with pytest.raises(Refusal, match="label") as refusal:
        check_label(label)
    assert refusal.value.code == "invalid_request"


@pytest.mark.parametrize("region", ["eu", "us1", "eu-west_1", "x" * 32])
def test_good_regions(region: str) -> None:
    check_region(region)


@pytest.mark.parametrize("region", ["", "x" * 33, "a b", "-eu", "é", "eu\n"])
def test_bad_regions(region: str) -> None:
    with pytest.raises(Refusal, match="region"):
        check_region(region)
