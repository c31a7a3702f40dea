"""Who holds which region: nobody's memory is anybody else's, and what is dropped is given back."""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import sys
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from timeouts.workers.process import arena
from timeouts.workers.process.arena import (
    GRAIN,
    MIB,
    SEGMENT,
    Borrower,
    Lender,
    Maps,
    Region,
    copy_into,
    new_file,
)

sizes = st.one_of(
    st.integers(1, 3 * GRAIN),
    st.integers(1, 40).map(lambda grains: grains * GRAIN),
    st.just(SEGMENT + 1),
)
picks = st.integers(0, 30)


@pytest.fixture
def fd() -> Iterator[int]:
    fd = new_file()
    yield fd
    os.close(fd)


def mark(lender: Lender, region: Region, text: bytes) -> None:
    """Write a region's two ends."""
    with lender.memory(region) as memory:
        memory[: len(text)] = memory[-len(text) :] = text


def memory_of(fd: int) -> int:
    """Return how many bytes of memory a file takes."""
    return os.fstat(fd).st_blocks * 512


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────


class Lending(RuleBasedStateMachine):
    """One file, its lender and its borrower, with a bound on idle memory that is soon reached."""

    KEEP = 20 * GRAIN

    @initialize(most=st.integers(0, 3))
    def begin(self, most: int) -> None:
        self.fd = new_file()
        self.lender = Lender(self.fd, keep=self.KEEP)
        self.borrower = Borrower(self.fd, most=most)
        self.lent: dict[int, tuple[Region, bytes]] = {}  # not yet seen by the borrower
        self.kept: list[tuple[memoryview, bytes]] = []
        self.sent_back: list[int] = []
        self.count = 0

    @rule(size=sizes)
    def lend(self, size: int) -> None:
        self.count += 1
        text = str(self.count).encode()[: size // 2]
        region = self.lender.lend(size)
        mark(self.lender, region, text) if text else None
        self.lent[region.offset] = region, text

    @precondition(lambda self: self.lent)
    @rule(pick=picks, seen=st.booleans())
    def receive(self, pick: int, seen: bool) -> None:
        region, text = self.lent.pop(list(self.lent)[pick % len(self.lent)])
        if seen:
            self.kept.append((self.borrower.borrow(region), text))
        else:
            self.borrower.refuse(region)

    @precondition(lambda self: self.kept)
    @rule(pick=picks)
    def view_a_part(self, pick: int) -> None:
        view, text = self.kept.pop(pick % len(self.kept))
        self.kept.append((view[: len(text)], text))

    @precondition(lambda self: self.kept)
    @rule(pick=picks)
    def drop(self, pick: int) -> None:
        del self.kept[pick % len(self.kept)]

    @rule(most=st.integers(0, 4), undone=st.booleans())
    def give_back(self, most: int, undone: bool) -> None:
        offsets = self.borrower.done(most)
        assert len(offsets) <= most
        if undone:
            self.borrower.undo(offsets)
        else:
            self.sent_back += offsets

    @rule()
    def take_back(self) -> None:
        self.lender.take_back(self.sent_back)
        self.sent_back = []

    @invariant()
    def what_is_kept_is_untouched(self) -> None:
        for view, text in getattr(self, "kept", []):
            assert view[: len(text)] == text
            assert view[len(view) - len(text) :] == text

    @invariant()
    def regions_in_use_never_overlap(self) -> None:
        if hasattr(self, "lender"):
            end = 0
            for offset, room in sorted(self.lender._lent.items()):
                assert end <= offset
                assert room.start <= offset
                end = offset + room.size
                assert end <= room.start + room.length

    def teardown(self) -> None:
        """When all is dropped, everything comes back, and little memory is kept."""
        if not hasattr(self, "fd"):
            return
        self.kept.clear()
        for region, _ in self.lent.values():
            self.borrower.refuse(region)
        self.lender.take_back([*self.sent_back, *self.borrower.done(1000)])
        assert self.borrower.idle
        assert not self.lender._lent
        if hasattr(mmap, "MADV_REMOVE"):
            assert memory_of(self.fd) <= self.KEEP
        self.lender.close()
        self.borrower.close()
        os.close(self.fd)


TestLending = Lending.TestCase


@given(st.integers(1, 1 << 40))
def test_little_is_wasted(size: int) -> None:
    """Less than a grain, or than once more; and that is only addresses."""
    assert size <= arena._rounded(size) < max(size + GRAIN, 2 * size)
    assert arena._rounded(size) % GRAIN == 0


@given(st.lists(sizes, min_size=1, max_size=30))
def test_one_message_at_a_time_needs_few_regions(lengths: list[int]) -> None:
    """Sizes that change do not use up the file: a region serves what is half its size."""
    fd = new_file()
    lender = Lender(fd)
    for length in lengths * 3:
        lender.take_back([lender.lend(length).offset])
    assert os.fstat(fd).st_size <= 6 * max(SEGMENT, *lengths)
    lender.close()
    os.close(fd)


# ── lending ──────────────────────────────────────────────────────────────────────────────────────


def test_a_region_that_came_back_is_lent_again(fd: int) -> None:
    """Its pages are warm; meanwhile another is taken."""
    lender = Lender(fd)
    one = lender.lend(GRAIN)
    other = lender.lend(GRAIN)
    assert one.offset != other.offset
    lender.take_back([one.offset])
    assert lender.lend(GRAIN // 2) == one._replace(size=GRAIN // 2)
    lender.close()


def test_a_small_region_is_no_waste_of_a_large_one(fd: int) -> None:
    """At most twice what is needed."""
    lender = Lender(fd)
    large = lender.lend(3 * GRAIN)
    lender.take_back([large.offset])
    assert lender.lend(GRAIN).offset != large.offset
    lender.close()


@pytest.mark.skipif(not hasattr(mmap, "MADV_REMOVE"), reason="holes cannot be made here")
def test_the_longest_idle_memory_goes_first(fd: int) -> None:
    """And the region is still there to be lent."""
    lender = Lender(fd, keep=4 * GRAIN)
    regions = [lender.lend(2 * GRAIN) for _ in range(3)]
    for region in regions:
        mark(lender, region, b"some")
        lender.take_back([region.offset])
    assert list(lender._bare) == [regions[0].offset]
    assert [lender.lend(2 * GRAIN).offset for _ in regions] == [
        regions[2].offset,
        regions[1].offset,
        regions[0].offset,
    ]
    assert lender.memory(regions[0])[:4] == bytes(4)
    lender.close()


@pytest.mark.parametrize("offsets", [[1], [0, 0], [0, GRAIN]])
def test_what_was_not_lent_is_not_taken_back(fd: int, offsets: list[int]) -> None:
    """And nothing of it is."""
    lender = Lender(fd)
    region = lender.lend(1)
    assert region.offset == 0
    with pytest.raises(ValueError, match="not lent"):
        lender.take_back(offsets)
    lender.take_back([0])
    lender.close()


def test_a_file_that_cannot_grow_is_an_error_and_no_more(fd: int) -> None:
    """The lender lends on when there is room again."""
    lender = Lender(fd)
    with pytest.raises(OSError, match=r"."):
        lender.lend(1 << 62)
    assert lender.lend(GRAIN).offset == 0
    lender.close()


def test_a_large_copy_is_made_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it arrives, whatever the last step leaves."""
    monkeypatch.setattr(arena, "_STEP", 7)
    source = bytes(range(200))
    target = bytearray(210)
    copy_into(memoryview(target), 5, source)
    assert target == bytes(5) + source + bytes(5)


# ── borrowing ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def ends(fd: int) -> Iterator[tuple[Lender, Borrower]]:
    lender, borrower = Lender(fd), Borrower(fd, most=2)
    yield lender, borrower
    lender.close()
    borrower.close()


def test_a_view_of_a_view_holds_the_region(ends: tuple[Lender, Borrower]) -> None:
    """Slices, casts, read-only views: the last of them counts."""
    lender, borrower = ends
    region = lender.lend(800)
    view = borrower.borrow(region)
    part = view[8:].toreadonly().cast("d")[2:]
    del view
    assert borrower.done(9) == []
    del part
    assert borrower.done(9) == [region.offset]
    assert borrower.idle


def test_an_array_holds_the_region(ends: tuple[Lender, Borrower]) -> None:
    """And so does an array that is made of it."""
    np = pytest.importorskip("numpy")
    lender, borrower = ends
    region = lender.lend(800)
    array = np.frombuffer(borrower.borrow(region)[:400])[3:].reshape(-1, 1)
    assert borrower.done(9) == []
    del array
    assert borrower.done(9) == [region.offset]


class Lazarus:
    """In a cycle with a view, and brings itself back when it is collected."""

    risen: list[Lazarus] = []  # noqa: RUF012

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.me = self

    def __del__(self) -> None:
        """Read the view, and keep it."""
        assert bytes(self.view[:4]) == b"life"
        self.risen.append(self)


def test_a_view_that_a_finalizer_saves_holds_the_region(ends: tuple[Lender, Borrower]) -> None:
    """A weak reference would have told of its death."""
    lender, borrower = ends
    region = lender.lend(100)
    mark(lender, region, b"life")
    Lazarus(borrower.borrow(region))
    gc.collect()
    (risen,) = Lazarus.risen
    assert borrower.done(9) == []
    assert bytes(risen.view[:4]) == b"life"
    del risen
    Lazarus.risen.clear()
    gc.collect()
    assert borrower.done(9) == [region.offset]


def test_views_may_be_dropped_in_any_thread(ends: tuple[Lender, Borrower]) -> None:
    """Nothing is lost or given back twice while others borrow."""
    lender, _ = ends
    borrower = Borrower(ends[0]._fd, most=1000)
    regions = [lender.lend(100) for _ in range(300)]
    views = [borrower.borrow(region) for region in regions]
    threads = [Thread(target=lambda: [views.pop() for _ in range(100)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    back: list[int] = []
    while len(back) < 300:
        back += borrower.done(7)
    for thread in threads:
        thread.join()
    assert sorted(back) == sorted(region.offset for region in regions)
    borrower.close()


def test_who_keeps_too_many_gets_copies(ends: tuple[Lender, Borrower]) -> None:
    """They are as good, and their regions go back at once."""
    lender, borrower = ends
    regions = [lender.lend(100) for _ in range(3)]
    for region in regions:
        mark(lender, region, b"text")
    kept = [borrower.borrow(region) for region in regions]
    assert borrower.done(9) == [regions[2].offset]
    assert [bytes(view[:4]) for view in kept] == [b"text"] * 3
    assert not kept[2].readonly


def test_without_reference_counts_everything_is_copied(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a Python without the GIL."""
    monkeypatch.setattr(arena, "_COUNTS", False)
    lender, borrower = Lender(fd), Borrower(fd)
    region = lender.lend(100)
    mark(lender, region, b"text")
    view = borrower.borrow(region)
    assert borrower.done(9) == [region.offset]
    assert bytes(view[:4]) == b"text"
    lender.close()
    borrower.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": SEGMENT + 1},
        {"offset": 1},
        {"offset": SEGMENT},
        {"start": GRAIN},
        {"start": 1},
        {"length": 0},
        {"length": 2 * SEGMENT},
        {"start": 1 << 62, "offset": 1 << 62},
    ],
)
def test_a_region_that_cannot_be_is_refused(
    ends: tuple[Lender, Borrower], wrong: dict[str, int]
) -> None:
    """It says so and changes nothing."""
    lender, borrower = ends
    region = lender.lend(100)
    with pytest.raises(ValueError, match=r"no (region|segment) at"):
        borrower.borrow(region._replace(**wrong))
    assert borrower.idle
    assert len(borrower.borrow(region)) == 100


def test_a_region_cannot_arrive_twice(ends: tuple[Lender, Borrower]) -> None:
    """Not while it is viewed, and not before it was sent back."""
    lender, borrower = ends
    region = lender.lend(100)
    view = borrower.borrow(region)
    with pytest.raises(ValueError, match="lent already"):
        borrower.borrow(region)
    view.release()
    borrower.undo(borrower.done(1))
    with pytest.raises(ValueError, match="lent already"):
        borrower.borrow(region)


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


def test_views_outlive_both_ends() -> None:
    """And the rest of the file does not outlive them: its memory is given back."""
    fd = new_file()
    lender, borrower = Lender(fd), Borrower(fd)
    regions = [lender.lend(MIB) for _ in range(5)]
    for region in regions:
        with lender.memory(region) as memory:
            memory[:] = b"x" * MIB
    view = borrower.borrow(regions[2])
    lender.close()
    borrower.close()
    if hasattr(mmap, "MADV_REMOVE"):
        assert memory_of(fd) == MIB
    os.close(fd)
    assert view == b"x" * MIB


def test_after_the_end_nothing_is_lent_or_borrowed(fd: int) -> None:
    """It says so; a second end is no error."""
    lender, borrower = Lender(fd), Borrower(fd)
    region = lender.lend(100)
    for end in (lender, borrower, lender, borrower):
        end.close()
    with pytest.raises(ValueError, match="closed"):
        lender.memory(region)
    with pytest.raises(ValueError, match="closed"):
        borrower.borrow(region)


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.platform != "linux", reason="memfd is Linux's")
def test_the_file_cannot_shrink(fd: int) -> None:
    """Who looks at memory beyond its end would die."""
    os.ftruncate(fd, GRAIN)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def test_an_unlinked_file_does_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Where there is no memfd, or a sandbox forbids it: no name is left."""

    def forbidden(*_: Any) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "memfd_create", forbidden, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fd = new_file()
    assert not list(tmp_path.iterdir())
    assert not os.get_inheritable(fd)
    lender, borrower = Lender(fd, keep=0), Borrower(fd)
    region = lender.lend(100)
    mark(lender, region, b"text")
    view = borrower.borrow(region)
    assert bytes(view[:4]) == b"text"
    view.release()
    lender.take_back(borrower.done(9))
    lender.close()
    borrower.close()
    os.close(fd)


def test_a_hole_that_cannot_be_made_is_no_error(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every file system, or system, can."""
    maps = Maps(fd)
    os.ftruncate(fd, GRAIN)
    memory = maps.at(0, GRAIN)
    memory[:4] = b"text"
    monkeypatch.delattr(mmap, "MADV_REMOVE", raising=False)
    maps.forget(0, GRAIN)
    assert memory[:4] == b"text"
    maps.close()
