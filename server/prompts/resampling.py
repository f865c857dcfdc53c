"""Makes mono at several rates at once of audio frames of any kind; used by the child that decodes.

Decides how channels become one (their mean: libswresample's matrix for int16, which cannot clip) and that frames are
gathered to half seconds first, because calling four resamplers for each small frame costs more than resampling.
"""

from collections.abc import Callable, Sequence
from typing import Final

from av.audio.frame import AudioFrame
from av.error import BlockingIOError as NeedsMore
from av.error import EOFError as AtEnd
from av.filter import Graph
from av.filter.context import FilterContext

SAMPLE_BYTES: Final = 2
_BLOCKS_A_SECOND: Final = 2

Sink = Callable[[int, memoryview], None]
"""Takes a rate in Hz and the next samples at it, int16 in the machine's order; the memory is valid during the call."""


class Resampling:
    """Turns frames into mono int16 at each of `rates`, and stops at `limit_s` seconds of it."""

    def __init__(self, rates: Sequence[int], sink: Sink, *, limit_s: int) -> None:
        self._left = {rate: limit_s * rate for rate in rates}
        """Samples that may still come out, by rate."""
        self._sink = sink
        self._kind: tuple[str, str, int] | None = None
        self._graph: _Graph | None = None
        self.is_empty = True
        """Whether nothing has come out yet."""

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return not any(self._left.values())

    def push(self, frame: AudioFrame) -> None:
        """Take the next frame; its format, layout or rate may differ from the last one's, as in chained Ogg."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._graph is None or kind != self._kind:
            self.finish()
            self._kind, self._graph = kind, _Graph(*kind, tuple(self._left))
        frame.pts = None  # sound is joined as it comes: a stranger's timestamps could ask for hours of nothing
        self._graph.push(frame)
        self._drain(self._graph)

    def finish(self) -> None:
        """Let out what the filters still hold."""
        if self._graph is not None:
            self._graph.push(None)
            self._drain(self._graph)
        self._graph = None

    def _drain(self, graph: "_Graph") -> None:
        for rate in self._left:
            for frame in graph.pull(rate):
                count = min(frame.samples, self._left[rate])
                if count:
                    self._left[rate] -= count
                    self.is_empty = False
                    self._sink(rate, memoryview(frame.planes[0])[: SAMPLE_BYTES * count])


class _Graph:
    """libavfilter's graph from one kind of frame to mono at each rate."""

    def __init__(self, sample_format: str, layout: str, sample_rate: int, rates: Sequence[int]) -> None:
        graph = Graph()
        graph.threads = 1  # else one for each CPU, and each takes 8 MB of the address space we have left
        self._source = graph.add(
            "abuffer",
            sample_fmt=sample_format,
            channel_layout=layout,
            sample_rate=str(sample_rate),
            time_base=f"1/{sample_rate}",
        )
        gathered = graph.add("asetnsamples", nb_out_samples=str(sample_rate // _BLOCKS_A_SECOND), pad="0")
        split = graph.add("asplit", outputs=str(len(rates)))
        mono = graph.add("aformat", sample_fmts="s16", channel_layouts="mono", sample_rates=str(sample_rate))
        graph.link_nodes(self._source, mono, gathered, split)
        self._sinks: dict[int, FilterContext] = {}
        for output, rate in enumerate(rates):
            resampled = graph.add("aformat", sample_fmts="s16", channel_layouts="mono", sample_rates=str(rate))
            self._sinks[rate] = graph.add("abuffersink")
            split.link_to(resampled, output)
            resampled.link_to(self._sinks[rate])
        graph.configure()
        self._graph = graph

    def push(self, frame: AudioFrame | None) -> None:
        """Take a frame, or None for the end."""
        self._source.push(frame)

    def pull(self, rate: int) -> list[AudioFrame]:
        """Return what has come out at `rate`."""
        frames: list[AudioFrame] = []
        while True:
            try:
                frame = self._sinks[rate].pull()
            except (NeedsMore, AtEnd):
                return frames
            assert isinstance(frame, AudioFrame)
            frames.append(frame)
