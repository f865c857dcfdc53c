"""The zygote's warm-up leaves nothing open and fails on nothing."""

import pytest

from mixer.warmup import FORMATS, warm_up
from tests.support.conference import TYPES
from tests.support.processes import open_fds

pytestmark = pytest.mark.usefixtures("earlier_garbage_gone")


def test_every_codec_is_warmed_up_and_nothing_stays_open() -> None:
    before = open_fds()
    warm_up()
    assert set(open_fds()) <= set(before)
    assert {form.codec for form in FORMATS} == set(TYPES)
