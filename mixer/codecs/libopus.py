"""Finds libopus and binds it through cffi's ABI mode, which needs no compiler where the mixer is installed.

Decides which copy is used: the newer of the system's and the one inside the `av` wheel. What is done with
it is `mixer.codecs.opus`. Pointers into arrays are declared as integers here, so that callers can compute
the address of a row once and keep it: on every platform that has numpy a pointer and a `uintptr_t` are
passed alike.
"""

import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import cffi

SYSTEM: Final = "libopus.so.0"

FFI: Final = cffi.FFI()
FFI.cdef(
    """
    typedef struct OpusEncoder OpusEncoder;
    typedef struct OpusDecoder OpusDecoder;

    const char *opus_get_version_string(void);
    const char *opus_strerror(int error);
    int opus_packet_get_nb_samples(const unsigned char *packet, int32_t length, int32_t sample_rate);

    OpusEncoder *opus_encoder_create(int32_t sample_rate, int channels, int application, int *error);
    int opus_encoder_get_size(int channels);
    int32_t opus_encode_float(OpusEncoder *, uintptr_t pcm, int samples, uintptr_t payload, int32_t capacity);
    int opus_encoder_ctl(OpusEncoder *, int request, ...);
    void opus_encoder_destroy(OpusEncoder *);

    OpusDecoder *opus_decoder_create(int32_t sample_rate, int channels, int *error);
    int opus_decode(OpusDecoder *, uintptr_t payload, int32_t length, uintptr_t pcm, int samples, int fec);
    int opus_decoder_ctl(OpusDecoder *, int request, ...);
    void opus_decoder_destroy(OpusDecoder *);
    """
)


class NoLibopusError(ImportError):
    """Neither the system nor the `av` wheel has a libopus that loads."""


def candidates() -> Iterator[str]:
    """Name or path of every libopus there might be."""
    yield SYSTEM
    av = find_spec("av")
    if av is not None and av.origin is not None:
        # Where auditwheel puts the shared libraries of a wheel, under a name with a hash in it.
        bundled = Path(av.origin).parent.parent / "av.libs"
        yield from map(str, sorted(bundled.glob("libopus*.so*")))


def version(library: Any) -> tuple[int, ...]:
    """Version of a loaded libopus, as numbers; empty if it doesn't say."""
    text = FFI.string(library.opus_get_version_string()).decode(errors="replace")
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def load(paths: Iterable[str]) -> Any:
    """Load the newest libopus of `paths` and unload the others. Raises NoLibopusError if none loads."""
    loaded, failures = [], []
    for path in paths:
        try:
            loaded.append(FFI.dlopen(path))
        except OSError as error:
            failures.append(str(error))
    if not loaded:
        tried = "; ".join(failures) or "no place to look"
        raise NoLibopusError(f"Opus needs libopus: install the system's (Debian: libopus0) or av as a wheel ({tried})")
    newest = max(loaded, key=version)
    for library in loaded:
        if library is not newest:
            FFI.dlclose(library)
    return newest


LIBOPUS: Final[Any] = load(candidates())
