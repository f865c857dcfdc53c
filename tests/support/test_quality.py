import sys

import numpy as np
import pytest

from tests.support.quality import pesq


def test_a_test_without_pesq_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pesq", None)
    silence = np.zeros(8000, np.float32)
    with pytest.raises(pytest.skip.Exception, match="C compiler"):
        pesq(8000, silence, silence, "nb")
