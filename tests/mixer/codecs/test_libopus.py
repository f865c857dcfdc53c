"""Finding libopus: the newer copy wins, and its absence is said clearly."""

import pytest

from mixer.codecs import libopus


def test_a_libopus_was_found_and_says_its_version():
    assert libopus.version(libopus.LIBOPUS) >= (1, 1)


def test_the_newest_of_all_candidates_is_used():
    versions = []
    for path in libopus.candidates():
        try:
            versions.append(libopus.version(libopus.load([path])))
        except libopus.NoLibopusError:
            continue
    assert libopus.version(libopus.LIBOPUS) == max(versions)


def test_a_candidate_that_does_not_load_is_passed_over(tmp_path):
    broken = tmp_path / "libopus.so.0"
    broken.write_bytes(b"not a library")
    found = libopus.load([str(broken), "no-such-libopus.so.9", *libopus.candidates()])
    assert libopus.version(found) == libopus.version(libopus.LIBOPUS)


def test_no_libopus_at_all_is_an_import_error_that_says_what_to_do():
    with pytest.raises(ImportError, match=r"libopus0.*no-such-libopus\.so\.9"):
        libopus.load(["no-such-libopus.so.9"])
    with pytest.raises(libopus.NoLibopusError, match="no place to look"):
        libopus.load([])
