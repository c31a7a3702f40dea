"""Two ends of a post in one process: what is said arrives, and nothing is lost or used twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from timeouts.workers.process import post
from timeouts.workers.process.arena import GRAIN, new_file
from timeouts.workers.process.parcel import SMALL, Parcel, pack
from timeouts.workers.process.post import INLINE, RETURNS, Post

LARGE = 3 * SMALL


@contextmanager
def connected(**options: int) -> Iterator[tuple[Post, Post]]:
    there, back = new_file(), new_file()
    ends = Post(there, back, **options), Post(os.dup(back), os.dup(there), **options)
    try:
        yield ends
    finally:
        for end in ends:
            end.close()


@pytest.fixture
def ends() -> Iterator[tuple[Post, Post]]:
    with connected() as both:
        yield both


def say(speaker: Post, hearer: Post, value: Any) -> Any:
    return hearer.unwrap(speaker.wrap(pack(value)))


def memory(text: bytes, size: int = LARGE) -> memoryview:
    """Return writable memory that begins and ends with a text."""
    return memoryview(bytearray(text + bytes(size) + text))


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def lent(end: Post) -> set[int]:
    return set(end._lender._lent)


class Unloadable:
    """Travels well, and fails on arrival."""

    def __init__(self, view: memoryview) -> None:
        self.view = view

    def __reduce__(self) -> Any:
        return _fail, (self.view,)


def _fail(view: memoryview) -> None:
    size = len(view)
    del view  # a traceback would keep it
    raise LookupError(size)


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────


class Talk(RuleBasedStateMachine):
    """Both ends speak, keep and drop in any order; bodies are sent, recalled, skipped, or fail to load."""

    KEEP = 8 * GRAIN
    sides = st.integers(0, 1)
    picks = st.integers(0, 30)
    sizes = st.sampled_from([0, 1, SMALL, INLINE, LARGE, 5 * GRAIN])

    @initialize(most=st.integers(0, 3))
    def begin(self, most: int) -> None:
        self.talk = connected(keep=self.KEEP, most=most)
        self.ends = self.talk.__enter__()
        self.kept: list[tuple[Any, bytes]] = []
        self.count = 0

    def text(self) -> bytes:
        self.count += 1
        return f"<{self.count}>".encode()

    def speak(self, side: int, value: Any) -> bytes:
        body = self.ends[side].wrap(pack(value))
        assert len(body) <= 48 * 1024
        return body

    @rule(side=sides, parts=st.lists(sizes, max_size=4))
    def send(self, side: int, parts: list[int]) -> None:
        texts = [self.text() for _ in parts]
        views = [memory(text, size) for text, size in zip(texts, parts, strict=True)]
        arrived = self.ends[1 - side].unwrap(self.speak(side, views))
        self.kept += zip(arrived, texts, strict=True)

    @rule(side=sides, size=sizes)
    def send_bytes(self, side: int, size: int) -> None:
        value = self.text() + bytes(size)
        assert self.ends[1 - side].unwrap(self.speak(side, value)) == value

    @rule(side=sides, size=sizes)
    def recall(self, side: int, size: int) -> None:
        self.ends[side].recall(self.speak(side, memory(b"", size)))

    @rule(side=sides, size=sizes)
    def skip(self, side: int, size: int) -> None:
        self.ends[1 - side].skip(self.speak(side, memory(b"", size)))

    @rule(side=sides, size=sizes)
    def fail(self, side: int, size: int) -> None:
        body = self.speak(side, Unloadable(memory(b"", size)))
        with pytest.raises(LookupError):
            self.ends[1 - side].unwrap(body)

    @precondition(lambda self: self.kept)
    @rule(pick=picks)
    def drop(self, pick: int) -> None:
        del self.kept[pick % len(self.kept)]

    @precondition(lambda self: self.kept)
    @rule(pick=picks)
    def write(self, pick: int) -> None:
        """What arrived is the receiver's own."""
        view, _ = self.kept.pop(pick % len(self.kept))
        text = self.text()
        if len(view) >= 2 * len(text):
            view[: len(text)] = view[-len(text) :] = text
            self.kept.append((view, text))

    @precondition(lambda self: self.kept)
    @rule(pick=picks, side=sides)
    def pass_on(self, pick: int, side: int) -> None:
        """A view that arrived may be sent, also while it is kept."""
        view, text = self.kept[pick % len(self.kept)]
        self.kept.append((self.ends[1 - side].unwrap(self.speak(side, view)), text))

    @invariant()
    def what_is_kept_is_right(self) -> None:
        for view, text in getattr(self, "kept", []):
            assert view[: len(text)] == text
            assert view[len(view) - len(text) :] == text

    def teardown(self) -> None:
        """When all is dropped and each end has spoken once more, each has all its regions back."""
        if not hasattr(self, "talk"):
            return
        self.kept.clear()
        for side in (0, 1):
            self.ends[1 - side].unwrap(self.speak(side, None))
        for end in self.ends:
            assert not lent(end)
            assert end._borrower.idle
            assert os.fstat(end._fds[0]).st_blocks * 512 <= self.KEEP
        self.talk.__exit__(None, None, None)


TestTalk = Talk.TestCase


@given(st.binary(max_size=60), st.sampled_from([b"", b"\1", b"\2", b"\3"]))
def test_what_is_no_body_is_a_value_error(noise: bytes, kind: bytes) -> None:
    """And changes nothing."""
    if kind == b"\1":
        noise = b"\xff" + noise  # so many returns are not in it
    if (kind + noise)[:1] == b"\0":
        noise = b"\3" + noise
    with connected() as (one, other):
        say(one, other, memory(b"before"))
        for take in (other.unwrap, other.skip, one.recall):
            with pytest.raises(ValueError, match=r"."):
                take(kind + noise)
        assert say(one, other, memory(b"after"))[:5] == b"after"


@given(st.data())
def test_a_body_that_is_cut_or_changed_is_no_crash(data: st.DataObject) -> None:
    """A header that does not fit its block, or its file, is told before anything is loaded."""
    with connected() as (one, other):
        body = bytearray(one.wrap(pack([memory(b"text"), memory(b"other")])))
        if data.draw(st.booleans()):
            body = body[: data.draw(st.integers(0, len(body) - 1))]
        else:
            # Not the first, which says what it is: anything may be taken for a pickle.
            body[data.draw(st.integers(1, len(body) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            other.unwrap(bytes(body))
        except ValueError:
            assert other.unwrap(one.wrap(pack(1))) == 1


@given(
    st.integers(0, 200),
    st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=5),
    st.integers(0, 400),
    st.integers(0, 255),
)
def test_a_block_is_read_as_it_was_written(
    length: int, buffers: list[tuple[int, bool]], place: int, value: int
) -> None:
    """Or, where a byte of it was changed, read within its bounds or refused."""
    parcel = Parcel()
    parcel.pieces += [b"s" * (length // 2), b"t" * (length - length // 2)]
    parcel.buffers += [
        memoryview(bytes(size) if fixed else bytearray(size)) for size, fixed in buffers
    ]
    starts, total = post._layout(length, [size for size, _ in buffers])
    block = bytearray(total)
    post._write_block(memoryview(block), parcel, length, starts)
    stream, read = post._read_block(memoryview(block))
    assert stream == parcel.stream
    assert [(len(one), one.readonly) for one in reversed(read)] == buffers
    assert all((start % 64) == 0 for start in starts[1:])
    if place < total:
        block[place] = value
        try:
            stream, read = post._read_block(memoryview(block))
        except ValueError:
            return
        assert len(stream) + sum(map(len, read)) <= total


# ── what goes where ──────────────────────────────────────────────────────────────────────────────


def test_a_small_value_is_its_pickle_and_a_byte(ends: tuple[Post, Post]) -> None:
    """Nothing else, while nothing is to be returned."""
    parcel = pack(((1,), {}))
    assert ends[0].wrap(parcel) == b"\0" + parcel.stream
    assert not lent(ends[0])


@pytest.mark.parametrize("size", [0, SMALL - 1, SMALL, INLINE - 100, INLINE, 1 << 21])
@pytest.mark.parametrize("kind", [bytes, bytearray, "x".__mul__, lambda size: ["y"] * size])
def test_every_size_arrives(ends: tuple[Post, Post], kind: Callable[[int], Any], size: int) -> None:
    """In the body or beside it, and the body stays small."""
    body = ends[0].wrap(pack(kind(size)))
    assert len(body) <= INLINE + 100
    assert ends[1].unwrap(body) == kind(size)
    assert not ends[1]._borrower._done  # returned with the next body, which settles it
    ends[0].unwrap(ends[1].wrap(pack(None)))
    assert not lent(ends[0])


def test_a_large_array_arrives_as_a_view(ends: tuple[Post, Post]) -> None:
    """One copy: the array's memory is the region's, aligned, and writable as it was."""
    np = pytest.importorskip("numpy")
    sent = {"x": np.arange(LARGE), "y": (np.ones((LARGE, 2), order="F"), "z")}
    sent["x"].flags.writeable = False
    arrived = say(*ends, sent)
    assert len(lent(ends[0])) == 1
    assert np.array_equal(arrived["x"], sent["x"])
    assert np.array_equal(arrived["y"][0], sent["y"][0])
    assert [arrived["x"].flags.writeable, arrived["y"][0].flags.writeable] == [False, True]
    for array in (arrived["x"], arrived["y"][0]):
        assert not array.flags.owndata
        assert array.ctypes.data % 64 == 0


def test_a_kept_view_keeps_its_region_and_no_other(ends: tuple[Post, Post]) -> None:
    """The next message takes another; when the view is dropped, its region serves again."""
    one, other = ends
    kept = say(one, other, memory(b"kept"))
    (held,) = lent(one)
    say(other, one, None)
    passing = say(one, other, memory(b"passing"))
    del passing
    say(other, one, None)
    assert lent(one) == {held}
    assert kept[:4] == b"kept"
    del kept
    say(other, one, None)
    assert not lent(one)
    say(one, other, memory(b"again"))
    assert lent(one) == {held}


def test_a_value_that_cannot_be_loaded_gives_its_region_back(ends: tuple[Post, Post]) -> None:
    """Even while its error, and so its traceback, is kept."""
    one, other = ends
    body = one.wrap(pack([memory(b"fine"), Unloadable(memory(b"not fine")), memory(b"unseen")]))
    with pytest.raises(LookupError) as caught:
        other.unwrap(body)
    say(other, one, None)
    assert not lent(one)
    assert caught.value.__traceback__ is not None


def test_a_copy_that_fails_takes_nothing(
    ends: tuple[Post, Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The region is free again, and what was to be returned still is."""
    one, other = ends
    say(other, one, memory(b"to be returned"))

    def fail(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(post, "copy_into", fail)
        with pytest.raises(MemoryError):
            one.wrap(pack(memory(b"text")))
    assert not lent(one)
    say(one, other, None)
    assert not lent(other)


def test_a_recalled_body_returns_its_returns_later(ends: tuple[Post, Post]) -> None:
    """They go with the next one."""
    one, other = ends
    say(other, one, memory(b"to be returned"))
    for value in (1, memory(b"text")):
        one.recall(one.wrap(pack(value)))
        assert not lent(one)
        assert lent(other)
    say(one, other, None)
    assert not lent(other)


def test_more_returns_than_one_body_carries() -> None:
    """The rest go with the next."""
    with connected(most=0) as (one, other):
        bodies = [one.wrap(pack(memory(b""))) for _ in range(RETURNS + 1)]
        for body in bodies:
            other.skip(body)
        body = other.wrap(pack(bytes(INLINE - 20)))
        assert len(body) <= 48 * 1024
        one.unwrap(body)
        assert len(lent(one)) == 1
        one.unwrap(other.wrap(pack(None)))
        assert not lent(one)


def test_returns_of_what_was_not_lent_are_refused(ends: tuple[Post, Post]) -> None:
    """A body that arrives twice, say."""
    one, other = ends
    say(one, other, memory(b"text"))
    body = other.wrap(pack(None))
    assert one.unwrap(body) is None
    with pytest.raises(ValueError, match="not lent"):
        one.unwrap(body)


# ── threads ──────────────────────────────────────────────────────────────────────────────────────


class Traffic:
    """Two ends that speak, hear and drop in a thread each."""

    def __init__(self, ends: tuple[Post, Post]) -> None:
        self.ends = ends
        self.ways: list[SimpleQueue[Any]] = [SimpleQueue(), SimpleQueue()]
        self.drops: list[SimpleQueue[Any]] = [SimpleQueue(), SimpleQueue()]
        self.faults: list[BaseException] = []

    def speak(self, side: int) -> None:
        for count in range(200):
            text = f"{side} {count}".encode()
            self.ways[side].put((self.ends[side].wrap(pack(memory(text))), text))
        self.ways[side].put(None)

    def hear(self, side: int) -> None:
        for body, text in iter(self.ways[1 - side].get, None):
            self.drops[side].put((self.ends[side].unwrap(body), text))
        self.drops[side].put(None)

    def drop(self, side: int) -> None:
        for view, text in iter(self.drops[side].get, None):
            assert view[: len(text)] == text
            assert view[-len(text) :] == text

    def run(self, act: Callable[[int], None], side: int) -> None:
        try:
            act(side)
        except BaseException as fault:
            self.faults.append(fault)


def test_both_ways_at_once_while_views_are_dropped_elsewhere() -> None:
    """Six threads, and nothing is mixed up or lost."""
    with connected(keep=GRAIN) as ends:
        traffic = Traffic(ends)
        acts = [
            (act, side) for act in (traffic.speak, traffic.hear, traffic.drop) for side in (0, 1)
        ]
        threads = [Thread(target=traffic.run, args=args) for args in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not traffic.faults
        for side in (0, 1):
            say(ends[side], ends[1 - side], None)
        assert not lent(ends[0])
        assert not lent(ends[1])


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


def test_what_arrived_outlives_both_ends() -> None:
    """Read and written; and no descriptor is left when it goes."""
    before = open_files()
    with connected() as ends:
        view = say(*ends, memory(b"text"))
    view[4:8] = b"more"
    assert view[:8] == b"textmore"
    del view
    ends[0].close()
    assert open_files() == before


def test_after_the_end_nothing_large_is_said(ends: tuple[Post, Post]) -> None:
    """It is told, and no descriptor of somebody else's is used."""
    one, other = ends
    body = one.wrap(pack(memory(b"text")))
    one.close()
    other.close()
    with pytest.raises(ValueError, match="closed"):
        one.wrap(pack(memory(b"text", 1 << 20)))
    with pytest.raises(ValueError, match="closed"):
        other.unwrap(body)


def test_an_end_that_opens_after_the_other_closed(ends: tuple[Post, Post]) -> None:
    """What was lent before stays readable: a worker's last words."""
    one, other = ends
    body = one.wrap(pack(memory(b"last words")))
    one.close()
    assert other.unwrap(body)[:10] == b"last words"


def test_small_values_need_no_shared_memory() -> None:
    """Nothing is mapped, and the files stay empty."""
    with connected() as ends:
        assert say(*ends, ((1,), {})) == ((1,), {})
        assert not ends[0]._lender._maps._maps
        assert not ends[1]._borrower._maps._maps
        assert os.fstat(ends[0]._fds[0]).st_size == 0
