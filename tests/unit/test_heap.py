"""The heap against a sorted list, and its promise about memory."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeouts.heap import _SLACK, Heap

operations = st.lists(
    st.tuples(
        st.sampled_from(["push", "push", "push", "remove", "remove", "pop", "first"]),
        st.integers(0, 12),
        st.integers(0, 5),
    ),
    max_size=120,
)


@given(operations)
def test_a_heap_is_a_sorted_list(script: list[tuple[str, int, int]]) -> None:
    """Smallest rank first, equal ranks as they came; a push again moves; a removal is exact."""
    heap, model = Heap[int](), list[tuple[int, int, int]]()
    for moment, (verb, item, rank) in enumerate(script):
        if verb == "push":
            heap.push(item, rank)
            model = [entry for entry in model if entry[2] != item]
            model = sorted([*model, (rank, moment, item)])
        elif verb == "remove":
            heap.remove(item)
            model = [entry for entry in model if entry[2] != item]
        elif verb == "pop" and model:
            assert heap.pop() == model.pop(0)[2]
        assert len(heap) == len(model)
        assert heap.first() == (model[0][0] if model else math.inf)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 200), st.integers()), max_size=400))
def test_memory_is_linear_in_what_is_live(script: list[tuple[int, int, int]]) -> None:
    """After every operation stale entries are at most as many as live ones, and a constant."""
    heap = Heap[int]()
    for verb, item, rank in script:
        if verb < 3:
            heap.push(item, rank)
        elif verb == 3:
            heap.remove(item)
        elif len(heap):
            heap.pop()
        assert len(heap._entries) <= 2 * len(heap) + _SLACK


@pytest.mark.parametrize("end", ["remove", "pop", "push"])
def test_a_wave_that_has_passed_leaves_little_behind(end: str) -> None:
    """A thousand removed entries below one live one are dropped, whichever operation comes last."""
    heap = Heap[int]()
    for item in range(1000):
        heap.push(item, item)
    for item in range(1, 999):
        heap.remove(item)
    if end == "remove":
        heap.remove(999)
    elif end == "pop":
        assert heap.pop() == 0
    else:
        heap.push(999, -1)
    assert len(heap._entries) <= 2 * len(heap) + _SLACK
    assert heap.pop() == {"remove": 0, "pop": 999, "push": 999}[end]


def test_a_pop_may_leave_stale_entries_that_outnumber_the_live() -> None:
    """Then it is the pop that drops them."""
    heap = Heap[int]()
    for item in range(200):
        heap.push(item, item)
    for item in range(132, 200):
        heap.remove(item)
    while len(heap):
        heap.pop()
        assert len(heap._entries) <= 2 * len(heap) + _SLACK


def test_an_empty_heap() -> None:
    """It has no first, nothing to pop, and nothing to remove."""
    heap = Heap[str]()
    assert (len(heap), heap.first()) == (0, math.inf)
    heap.remove("stranger")
    with pytest.raises(IndexError):
        heap.pop()


def test_a_popped_item_is_gone_and_may_come_again() -> None:
    """Its old entries do not count for it."""
    heap = Heap[str]()
    heap.push("a", 1)
    heap.push("a", 5)
    heap.push("b", 3)
    assert [heap.pop(), heap.pop()] == ["b", "a"]
    heap.push("a", 2)
    assert (heap.first(), len(heap)) == (2, 1)
