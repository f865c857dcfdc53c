"""The ring between a mixer and a recorder: order, room, marks, hostile ends, and writers and readers that follow one
another."""

import mmap
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recording.catalog.feeds import LEAST_BYTES, MOST_TRACKS, RING_AT, create_feed
from recording.feed import NO_TRACK, FeedError, FeedReader, FeedWriter, Frame, Mark, Voices
from recording.feed import layout as at

SMALL = 128 << 10


class Feed:
    """Both ends of one feed, and a way to write into it as no end would."""

    def __init__(self, capacity: int = SMALL) -> None:
        self.fd = create_feed(capacity)
        self.writer, self.reader = FeedWriter(self.fd), FeedReader(self.fd)

    def memory(self) -> mmap.mmap:
        return mmap.mmap(self.fd, 0)

    def set(self, word: int, value: int) -> None:
        os.pwrite(self.fd, value.to_bytes(8, "little"), 8 * word)

    def close(self) -> None:
        self.writer.close()
        self.reader.close()
        os.close(self.fd)


@pytest.fixture
def feed() -> Iterator[Feed]:
    made = Feed()
    yield made
    made.close()


def sound(tick: int, rate: int = 8000, rows: int = 1) -> NDArray[np.float32]:
    samples = rate // 50
    return (np.arange(rows * samples, dtype=np.float32).reshape(rows, samples) + tick) % 30000 - 15000


def voices(tick: int, rate: int, indices: list[int]) -> Voices:
    return Voices(rate, np.array(indices), sound(tick, rate, len(indices)))


def frames(records: list[Frame | Mark]) -> list[Frame]:
    return [record for record in records if isinstance(record, Frame)]


def test_a_frame_comes_out_as_it_went_in(feed: Feed) -> None:
    groups = [voices(7, 8000, [3, 0, 9]), voices(8, 48000, [1])]
    assert feed.writer.frame(5, 48000, sound(5, 48000)[0], groups)
    (frame,) = frames(feed.reader.read(9))
    assert (frame.tick, frame.dropped, frame.lost) == (5, 0, 0)
    assert frame.mix is not None
    assert frame.mix[0] == 48000
    np.testing.assert_array_equal(frame.mix[1], sound(5, 48000)[0])
    assert [(index, rate) for index, rate, _ in frame.tracks] == [(3, 8000), (0, 8000), (9, 8000), (1, 48000)]
    np.testing.assert_array_equal(np.stack([pcm for _, _, pcm in frame.tracks[:3]]), groups[0].frames)
    np.testing.assert_array_equal(frame.tracks[3][2], groups[1].frames[0])
    assert feed.reader.read(9) == []


def test_silence_is_a_frame_without_samples(feed: Feed) -> None:
    feed.writer.frame(0, 8000, None, [])
    assert feed.reader.read(9) == [Frame(0, 0, 0, None, [])]


def test_what_is_too_loud_is_cut_off_not_wrapped_around(feed: Feed) -> None:
    loud = np.array([[40_000.0, -40_000.0] * 80], np.float32)
    feed.writer.frame(0, 8000, None, [Voices(8000, np.array([0]), loud)])
    (frame,) = frames(feed.reader.read(9))
    assert set(frame.tracks[0][2].tolist()) == {32767, -32768}


def test_records_read_are_copies(feed: Feed) -> None:
    feed.writer.frame(0, 8000, sound(1)[0], [])
    (frame,) = frames(feed.reader.read(9))
    feed.writer.frame(1, 8000, sound(999)[0], [])
    assert frame.mix is not None
    np.testing.assert_array_equal(frame.mix[1], sound(1)[0])


@pytest.mark.parametrize("seed", range(5))
def test_many_times_around_the_ring_nothing_is_lost_or_out_of_order(feed: Feed, seed: int) -> None:
    chance = random.Random(seed)
    got: list[Frame] = []
    tick = 0
    for _ in range(300):
        for _ in range(chance.randrange(6)):
            rows = chance.randrange(1, 20)
            assert feed.writer.frame(tick, 8000, sound(tick)[0], [voices(tick, 8000, list(range(rows)))])
            tick += 1
        got += frames(feed.reader.read(chance.randrange(8)))
        if tick % 7 == 0:
            while more := feed.reader.read(50):
                got += frames(more)
        while feed.writer._words[at.AT_WRITE] - feed.writer._words[at.AT_READ] > SMALL // 2:
            got += frames(feed.reader.read(3))
    while more := feed.reader.read(50):
        got += frames(more)
    assert [frame.tick for frame in got] == list(range(tick))
    assert feed.writer._words[at.AT_WRITE] > 3 * SMALL
    for frame in got:
        rows = len(frame.tracks)
        np.testing.assert_array_equal(np.stack([t[2] for t in frame.tracks]), sound(frame.tick, 8000, rows))
    assert (feed.reader.skipped, feed.writer.dropped) == (0, 0)


def test_what_does_not_fit_is_dropped_and_counted_and_the_next_frame_tells(feed: Feed) -> None:
    written = [feed.writer.frame(tick, 8000, None, [voices(tick, 8000, [0] * 50)]) for tick in range(20)]
    kept = written.index(False)
    assert kept > 3
    assert not any(written[kept:])
    assert feed.writer.dropped == feed.reader.dropped == 20 - kept
    assert [frame.tick for frame in frames(feed.reader.read(99))] == list(range(kept))
    assert feed.writer.frame(20, 8000, None, [])
    assert frames(feed.reader.read(9))[0].dropped == 20 - kept


def test_a_frame_larger_than_the_ring_is_dropped(feed: Feed) -> None:
    assert not feed.writer.frame(0, 48000, None, [voices(0, 48000, list(range(100)))])
    assert feed.writer.frame(1, 8000, None, [])


def test_a_reader_that_keeps_up_makes_the_writer_use_the_same_pages() -> None:
    feed = Feed(8 << 20)
    for tick in range(500):
        assert feed.writer.frame(tick, 8000, sound(tick)[0], [voices(tick, 8000, list(range(100)))])
        feed.reader.read(9)
    used_bytes = os.fstat(feed.fd).st_blocks * 512
    feed.close()
    assert used_bytes < 200 << 10


def test_marks_keep_their_place_among_frames(feed: Feed) -> None:
    feed.writer.mark(0, {"joined": "a"})
    feed.writer.frame(0, 8000, None, [])
    feed.writer.mark(1, {"pause": "skip"})
    feed.writer.frame(9, 8000, None, [])
    assert feed.reader.read(9) == [
        Mark(0, {"joined": "a"}),
        Frame(0, 0, 0, None, []),
        Mark(1, {"pause": "skip"}),
        Frame(9, 0, 0, None, []),
    ]


def test_a_mark_for_which_there_is_no_room_waits_and_no_frame_overtakes_it(feed: Feed) -> None:
    tick = 0
    while feed.writer.frame(tick, 8000, None, []):
        tick += 1
    feed.writer.mark(tick, {"left": "a"})
    feed.writer.mark(tick, {"joined": "b"})
    assert not feed.writer.frame(tick, 8000, None, [])
    seen = 0
    while seen < tick:
        seen += len(feed.reader.read(64))
    assert feed.writer.frame(tick + 1, 8000, None, [])
    got = feed.reader.read(9)
    assert got[:2] == [Mark(tick, {"left": "a"}), Mark(tick, {"joined": "b"})]
    assert frames(got)[0].dropped == 2


def test_marks_that_wait_are_written_when_the_feed_is_closed() -> None:
    feed = Feed()
    while feed.writer.frame(0, 8000, None, []):
        pass
    feed.writer.mark(1, {"stop": True})
    while feed.reader.read(64):
        pass
    assert not feed.reader.closed
    feed.writer.close()
    assert feed.reader.closed
    assert feed.reader.read(9) == [Mark(1, {"stop": True})]
    feed.reader.close()
    os.close(feed.fd)


def test_a_mark_of_unreasonable_size_is_refused(feed: Feed) -> None:
    with pytest.raises(ValueError, match="mark"):
        feed.writer.mark(0, {"joined": "x" * 5000})


def test_tracks_keep_their_indices_and_are_told_once(feed: Feed) -> None:
    assert [feed.writer.track(name, 3) for name in ("a", "ü", "a")] == [0, 1, 0]
    assert feed.reader.read(9) == [Mark(3, {"track": 0, "call_id": "a"}), Mark(3, {"track": 1, "call_id": "ü"})]


def test_there_is_an_end_to_tracks() -> None:
    feed = Feed(1 << 20)
    assert [feed.writer.track(f"call-{n}", 0) for n in range(MOST_TRACKS)] == list(range(MOST_TRACKS))
    assert feed.writer.track("one more", 0) == NO_TRACK
    assert feed.writer.track("x" * 300, 0) == NO_TRACK
    assert feed.writer.track("call-7", 0) == 7
    feed.close()


def test_another_writer_goes_on_where_a_dead_one_stopped(feed: Feed) -> None:
    feed.writer.began_ns = 123
    feed.writer.track("a", 0)
    feed.writer.track("b", 0)
    feed.writer.frame(0, 8000, None, [])
    feed.writer.ticks = 41
    again = FeedWriter(feed.fd)
    assert (again.began_ns, again.ticks, again.tracks) == (123, 41, {"a": 0, "b": 1})
    again.frame(41, 8000, None, [])
    assert [frame.tick for frame in frames(feed.reader.read(9))] == [0, 41]
    again.close()


def test_another_reader_goes_on_where_a_dead_one_stopped(feed: Feed) -> None:
    for tick in range(6):
        feed.writer.frame(tick, 8000, sound(tick)[0], [])
    feed.reader.read(4)
    again = FeedReader(feed.fd)
    feed.writer.frame(6, 8000, None, [])
    assert [frame.tick for frame in frames(again.read(9))] == [4, 5, 6]
    again.close()


def test_lost_ticks_and_time_are_seen_by_the_reader(feed: Feed) -> None:
    feed.writer.lose(3)
    feed.writer.ticks = 10
    feed.writer.frame(10, 8000, None, [])
    assert (feed.reader.lost, feed.reader.ticks) == (3, 10)
    assert frames(feed.reader.read(9))[0].lost == 3


@pytest.mark.parametrize("capacity", [0, LEAST_BYTES - 1, 2 << 30])
def test_a_feed_of_no_reasonable_size_is_not_made(capacity: int) -> None:
    with pytest.raises(ValueError, match="feed"):
        create_feed(capacity)


def test_its_size_is_sealed(feed: Feed) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(feed.fd, 4096)


def test_what_is_no_feed_is_refused(tmp_path: Path) -> None:
    plain = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.ftruncate(plain, RING_AT + SMALL)
    unsealed = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.ftruncate(unsealed, RING_AT + SMALL)
    wrong = create_feed(SMALL)
    os.pwrite(wrong, b"nonsense", 0)
    lying = create_feed(SMALL)
    os.pwrite(lying, (SMALL * 2).to_bytes(8, "little"), 16)
    for fd in (plain, unsealed, wrong, lying):
        with pytest.raises(FeedError):
            FeedReader(fd)
        with pytest.raises(FeedError):
            FeedWriter(fd)
        os.close(fd)


# ---- hostile ends


@pytest.mark.parametrize("seed", range(40))
def test_garbage_in_the_ring_neither_breaks_the_reader_nor_stops_it_for_good(seed: int) -> None:
    feed, chance = Feed(), random.Random(seed)
    memory = feed.memory()
    for tick in range(30):
        feed.writer.frame(tick, 8000, sound(tick)[0], [voices(tick, 8000, [0, 1])])
        feed.writer.mark(tick, {"joined": "a"})
        for _ in range(chance.choice([0, 1, 4])):
            where = RING_AT + chance.randrange(2000)
            memory[where : where + 4] = chance.randbytes(4) if chance.random() < 0.5 else b"\xff\xff\xff\xff"
        if chance.random() < 0.7:
            for record in feed.reader.read(5):
                assert record.tick >= 0
                if isinstance(record, Frame):
                    assert all(index < MOST_TRACKS and len(pcm) == rate // 50 for index, rate, pcm in record.tracks)
    while feed.reader.read(50):
        pass
    feed.writer.frame(99, 8000, sound(99)[0], [])
    assert frames(feed.reader.read(9))[0].tick == 99
    memory.close()
    feed.close()


@pytest.mark.parametrize("word", [at.AT_WRITE, at.AT_BASE, at.AT_TICKS, at.AT_DROPPED, at.AT_LOST])
@pytest.mark.parametrize("value", [0, 1, 7, 1 << 20, (1 << 64) - 1, (1 << 63)])
def test_wrong_words_of_the_writer_do_not_break_the_reader(word: int, value: int) -> None:
    feed = Feed()
    for tick in range(5):
        feed.writer.frame(tick, 8000, sound(tick)[0], [])
    feed.reader.read(2)
    feed.set(word, value)
    for _ in range(5):
        feed.reader.read(64)
    assert 0 <= feed.reader.ticks < 1 << 40
    assert 0 <= feed.reader.dropped < 1 << 40
    feed.close()


@pytest.mark.parametrize("value", [1, 7, 1 << 20, (1 << 64) - 1, (1 << 63)])
def test_wrong_words_of_the_reader_make_the_writer_drop_at_worst(value: int) -> None:
    feed = Feed()
    for tick in range(5):
        feed.writer.frame(tick, 8000, sound(tick)[0], [])
    feed.set(at.AT_READ, value)
    for tick in range(5, 500):
        feed.writer.frame(tick, 8000, sound(tick)[0], [])
    feed.writer.mark(500, {"left": "a"})
    feed.close()


def test_wrong_words_left_to_another_writer_are_survived(feed: Feed) -> None:
    feed.writer.track("a", 0)
    for words in ({at.AT_TRACKS: 1 << 60}, {at.AT_BASE: 12345}, {at.AT_WRITE: 1 << 40}, {at.AT_WRITE: 13}):
        for word, value in words.items():
            feed.set(word, value)
        again = FeedWriter(feed.fd)
        for tick in range(200):
            again.frame(tick, 8000, sound(tick)[0], [])
        assert again.tracks["a"] == 0
        again.close()


@pytest.mark.parametrize("word", [at.AT_WRITE, at.AT_BASE, at.AT_DROPPED, at.AT_LOST, at.AT_TICKS, at.AT_BEGAN_NS])
def test_numbers_that_no_writer_can_have_left_are_refused(feed: Feed, word: int) -> None:
    feed.set(word, (1 << 64) - 8)
    with pytest.raises(FeedError):
        FeedWriter(feed.fd)


@pytest.mark.parametrize("word", [at.AT_WRITE, at.AT_BASE, at.AT_DROPPED, at.AT_LOST, at.AT_TICKS, at.AT_TRACKS])
def test_a_reader_that_writes_where_it_should_not_does_not_break_the_writer(feed: Feed, word: int) -> None:
    for tick in range(2000):
        feed.set(word, (1 << 64) - 1)
        feed.writer.frame(tick, 8000, None, [])
        feed.writer.lose(1)
        feed.writer.ticks += 1
    feed.set(word, (1 << 64) - 1)
    assert feed.writer.track("a", 0) == 0
    assert feed.writer.ticks == 2000


def test_time_that_cannot_be_is_garbage(feed: Feed) -> None:
    feed.writer.frame(1 << 62, 8000, None, [])
    assert feed.reader.read(9) == []
    assert feed.reader.skipped == 1


def test_json_that_is_no_mark_is_garbage(feed: Feed) -> None:
    text = b"[" * 3000
    record = at.MARK_HEAD.pack(at.MARK, at.padded(at.MARK_HEAD.size + len(text)), 0, len(text), 0) + text
    feed.writer._waiting.append(record.ljust(at.padded(len(record)), b"\0"))
    feed.writer.frame(0, 8000, None, [])
    assert feed.reader.read(9) == []
    assert feed.reader.skipped == 1


def test_a_killed_writer_leaves_no_half_record(feed: Feed) -> None:
    feed.writer.frame(0, 8000, sound(0)[0], [])
    publish = feed.writer._publish
    feed.writer._publish = lambda length: None  # type: ignore[method-assign]
    feed.writer.frame(1, 8000, sound(1)[0], [])
    feed.writer._publish = publish  # type: ignore[method-assign]
    assert [frame.tick for frame in frames(feed.reader.read(9))] == [0]


def test_unmapping_leaves_nothing_open() -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    for _ in range(3):
        feed = Feed()
        feed.writer.frame(0, 8000, sound(0)[0], [])
        held = feed.reader.read(9)
        feed.close()
        assert len(held) == 1
    assert open_files() == before
