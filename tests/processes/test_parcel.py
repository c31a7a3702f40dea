"""What is packed arrives equal, wherever it is nested; what cannot be packed says why."""

from __future__ import annotations

import copyreg
import math
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timeouts.workers.process.parcel import SMALL, Unsendable, load, pack

np = pytest.importorskip("numpy")


def sent(value: Any) -> Any:
    """Return what arrives, with each buffer in memory of its own, as writable as it was."""
    parcel = pack(value)
    buffers = [bytes(one) if one.readonly else bytearray(one) for one in parcel.buffers]
    return load(parcel.stream, buffers)


def same_view(one: memoryview, other: memoryview) -> bool:
    told = [(view.format, view.shape, view.readonly, view.tobytes()) for view in (one, other)]
    return told[0] == told[1]


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.binary().map(bytearray)
    | st.integers(0, 3).map(lambda steps: bytes(SMALL * steps))
    | st.integers(0, 3).map(lambda steps: bytearray(b"x") * (SMALL * steps))
    | st.integers(0, 3).map(lambda steps: "é" * (SMALL * steps))
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_packed_arrives_equal(value: Any) -> None:
    """Whatever is nested in whatever, small and large."""
    assert sent(value) == value


@st.composite
def views(draw: st.DrawFn) -> memoryview:
    """A view of memory: of any native format, up to three dimensions, with steps and backwards."""
    code = draw(st.sampled_from("cbB?hHiIlLqQnNfdP"))
    size = memoryview(bytes(8)).cast(code).itemsize  # type: ignore[call-overload]
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    if draw(st.booleans()):
        shape[0] *= SMALL // 5
    whole = (bytes(range(251)) * (math.prod(shape) * size // 251 + 1))[: math.prod(shape) * size]
    view: Any = memoryview(whole if draw(st.booleans()) else bytearray(whole))
    view = view.cast(code, shape)
    if len(shape) == 1:
        view = view[:: draw(st.sampled_from([1, 2, 3, -1]))]
        view = view[draw(st.integers(0, 3)) :]
    assert isinstance(view, memoryview)
    return view


@given(views())
@example(memoryview(b""))
@example(memoryview(bytearray(8)).cast("d")[1:])
@example(memoryview(bytes(8)).cast("d", ()))
def test_a_view_arrives_as_a_view(view: memoryview) -> None:
    """Same format, shape and bytes; read-only if it was."""
    assert same_view(sent([view])[0], view)


@given(
    st.sampled_from(["?", "i1", "<i4", ">i4", "f2", "f8", "c16", "S3", "U2", "i4,f8"]),
    st.lists(st.integers(0, 40), max_size=3),
    st.sampled_from(["C", "F", "steps"]),
    st.booleans(),
)
def test_an_array_arrives_as_it_was(
    code: str, shape: list[int], order: str, writable: bool
) -> None:
    """Shape and values; type, order and whether it may be written, unless it goes by steps."""
    count = math.prod(shape)
    array = np.arange(count).astype("i4" if "," in code else "i1").astype(code).reshape(shape)
    array = np.array(array, order=None if order == "steps" else order)
    if order == "steps" and shape:
        array = array[::2]
    array.flags.writeable = writable
    (arrived,) = sent((array,))
    assert arrived.shape == array.shape
    assert np.array_equal(arrived, array)
    if order != "steps":  # these are numpy's own pickles
        assert arrived.dtype == array.dtype
        assert arrived.flags.f_contiguous == array.flags.f_contiguous
        assert arrived.flags.writeable == writable


# ── what goes where ──────────────────────────────────────────────────────────────────────────────


def test_a_large_array_is_not_copied() -> None:
    """The parcel refers to the very memory of the array."""
    array = np.zeros(SMALL)
    parcel = pack({"x": [array]})
    assert len(parcel.stream) < 500
    (buffer,) = parcel.buffers
    array[0] = 1
    assert bytes(buffer[:8]) == array[:1].tobytes()


def test_a_small_array_stays_in_the_stream() -> None:
    """One byte decides."""
    assert not pack(np.zeros(SMALL - 1, "u1")).buffers
    assert pack(np.zeros(SMALL, "u1")).buffers


def test_large_bytes_are_not_copied() -> None:
    """They are a piece of the stream as they are."""
    large = bytes(10 * SMALL)
    assert any(piece is large for piece in pack([large]).pieces)


def test_the_same_array_twice_is_sent_once() -> None:
    """And arrives as one."""
    array = np.zeros(SMALL)
    assert len(pack([array, array]).buffers) == 1
    one, other = sent([array, array])
    assert one is other


def test_an_empty_view_of_many_dimensions() -> None:
    """Python cannot cast to one; numpy can."""
    view = memoryview(np.zeros((3, 0, 2)))
    assert same_view(sent(view), view)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_view_of_a_structured_array(order: Any) -> None:
    """Its format is numpy's own: it goes by way of numpy, and keeps its order."""
    view = memoryview(np.ones((40, 30), "i4,f8", order=order))
    arrived = sent(view)
    assert same_view(arrived, view)
    assert arrived.strides == view.strides


class Marked:
    """Something that is pickled by what is registered for it."""


@pytest.fixture
def _no_trace() -> Iterator[None]:
    yield
    copyreg.dispatch_table.pop(Marked, None)


@pytest.mark.usefixtures("_no_trace")
def test_what_is_registered_later_counts() -> None:
    """`copyreg` is asked each time, and forgets."""
    assert isinstance(sent(Marked()), Marked)
    copyreg.pickle(Marked, lambda _: (str, ("registered",)))  # type: ignore[arg-type,return-value]
    assert sent(Marked()) == "registered"
    del copyreg.dispatch_table[Marked]
    assert isinstance(sent(Marked()), Marked)


def test_a_parcel_without_buffers_is_an_ordinary_pickle() -> None:
    """Any reader of pickles can read it."""
    assert pickle.loads(pack([1, "two"]).stream) == [1, "two"]


# ── what cannot be packed ────────────────────────────────────────────────────────────────────────


class Model:
    """Holds something that cannot be pickled."""

    def __init__(self) -> None:
        self.name = "model"
        self.lock = threading.Lock()


class Failing:
    """Raises when it is pickled."""

    def __reduce__(self) -> Any:
        raise RuntimeError("not today")


class Leaving:
    """Wants the whole process to end when it is pickled."""

    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


def iter_nothing() -> Iterator[None]:
    yield


def nested() -> Any:
    """Make a class that no name leads to."""

    class Hidden:
        pass

    return Hidden()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (threading.Lock(), "a _thread.lock cannot go to another process: cannot pickle"),
        (((Model(),), {}), "a _thread.lock cannot go"),
        ([{"a": {1: lambda: None}}], "a function cannot go to another process: "),
        ((1, Failing()), "Failing cannot go to another process: not today"),
        ([nested()], "Hidden"),
        ([iter_nothing()], "a generator cannot go"),
    ],
)
def test_what_cannot_be_packed_says_why(value: Any, said: str) -> None:
    """The message names the innermost type; the cause is what was raised."""
    with pytest.raises(Unsendable) as caught:
        pack(value)
    assert said in str(caught.value)
    assert isinstance(caught.value.__cause__, Exception)


def test_a_value_without_end_is_told_as_well() -> None:
    """A nest deeper than the stack is no crash."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Unsendable, match="a list cannot go"):
        pack(deep)
    while deep:
        deep = deep[0]


def test_a_released_view_is_told() -> None:
    """There is nothing left to send."""
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(Unsendable, match="a memoryview cannot go"):
        pack([view])


def test_what_is_no_error_passes() -> None:
    """A Ctrl-C while pickling is not the value's fault."""
    with pytest.raises(KeyboardInterrupt):
        pack(Leaving())


# ── torch ────────────────────────────────────────────────────────────────────────────────────────


def test_tensors_arrive_as_they_were() -> None:
    """Out of band: type, values, gradient wanted or not, and kind."""
    torch = pytest.importorskip("torch")
    base = torch.arange(2 * SMALL).reshape(4, -1)
    for dtype in (torch.float32, torch.bfloat16, torch.float8_e5m2, torch.int64, torch.bool):
        tensor = base.to(dtype)
        parcel = pack({"t": tensor})
        assert len(parcel.buffers) == 1
        arrived = sent({"t": tensor})["t"]
        assert arrived.dtype is dtype
        assert torch.equal(arrived.float(), tensor.float())
    weight = torch.nn.Parameter(torch.ones(SMALL))
    (arrived,) = sent([weight])
    assert type(arrived) is torch.nn.Parameter
    assert arrived.requires_grad
    assert torch.equal(arrived, weight)
    assert sent(torch.ones(3, requires_grad=True)).requires_grad
    assert sent(torch.tensor(7.0)) == torch.tensor(7.0)


def test_tensors_of_other_kinds_are_left_to_torch() -> None:
    """Sparse, conjugated, and views that are neither contiguous nor transposed."""
    torch = pytest.importorskip("torch")
    sparse = torch.eye(4).to_sparse()
    assert torch.equal(sent(sparse).to_dense(), torch.eye(4))
    conjugated = torch.ones(4, dtype=torch.complex64).conj()
    assert torch.equal(sent(conjugated), conjugated)
    stepped = torch.arange(8 * SMALL)[::2]
    assert torch.equal(sent(stepped), stepped)
    turned = torch.arange(2 * SMALL).reshape(4, -1).T
    assert sent(turned).stride() == turned.stride()
