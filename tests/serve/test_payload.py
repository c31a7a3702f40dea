"""Bodies: what is written can be read again, and no stranger's bytes are more than a fault."""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from timeouts.serve import payload
from timeouts.serve.parameters import Invalid, Parameters
from timeouts.serve.payload import BYTES, JSON, NPY, UnknownMediaType


def anything(x: Any) -> None: ...


ANYTHING = Parameters(anything, "anything")


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def read(media_type: str, body: bytes) -> Any:
    args, kwargs = payload.read(ANYTHING, media_type, body)
    assert args == []
    return kwargs["x"]


@given(
    st.sampled_from(["<f4", "<f8", "<i8", "|b1", "<c16", ">i2", "|u1"]),
    st.lists(st.integers(0, 4), max_size=3),
)
def test_arrays_come_back_as_they_went(dtype: str, shape: list[int]) -> None:
    array = np.arange(int(np.prod(shape)), dtype="<i4").astype(dtype).reshape(shape)
    body = payload.write(array, NPY)
    assert body.media_type == NPY
    got = read(NPY, body.content)
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    assert (got == array).all()


@given(st.binary(max_size=100))
def test_bytes_come_back_as_they_went(data: bytes) -> None:
    for kind in (bytes, bytearray, memoryview):
        body = payload.write(kind(data), "*/*")
        assert body == (BYTES, data)
        assert read(BYTES, body.content) == data


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_fault(data: bytes) -> None:
    for body in (data, b"\x93NUMPY" + data, npy(np.zeros(3))[: len(data)] + data):
        with suppress(Invalid):
            read(NPY, body)


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "body",
    [
        header("(1000000000000,)"),
        header("(1000000000000, 0)"),
        header("(1000000000000,)", "'|V0'"),
        header("(-1, -1)"),
        header("(True,)") + bytes(4),
        header("3"),
        header("()", "'O'"),
        header("(__import__('os').getpid(),)"),
        npy(np.array([{"a": 1}], dtype=object)),
        b"PK\x03\x04" + bytes(100),
        b"\x80\x04K\x01.",
        b"\x93NUMPY\x09\x00" + bytes(100),
        b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
        b"",
    ],
    ids=range(14),
)
def test_arrays_that_lie_are_refused_before_there_is_room_for_them(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"no \.npy array"):
        read(NPY, body)


def test_an_empty_array_is_no_lie() -> None:
    for shape in [(0,), (0, 5), (3, 0)]:
        assert read(NPY, npy(np.zeros(shape))).shape == shape


@pytest.mark.parametrize(
    "kind", ["", JSON, "Application/JSON; charset=utf-8", "application/ld+json"]
)
def test_json_has_several_names(kind: str) -> None:
    assert read(kind, b'{"x":[1]}') == [1]


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "\xe9" * 500, "json"]
)
def test_other_types_are_refused_by_name(kind: str) -> None:
    with pytest.raises(UnknownMediaType, match=f"one of {JSON}, {BYTES}, {NPY}; got") as caught:
        read(kind, b"")
    assert len(str(caught.value)) < 250


def test_without_numpy_arrays_are_a_type_that_nobody_here_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(UnknownMediaType, match="numpy is not installed"):
        read(NPY, b"")
    assert payload.write([1], NPY) == (JSON, b"[1]")


class Label(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("result", "written"),
    [
        (None, None),
        (Label(name="cat"), {"name": "cat"}),
        ([Label(name="cat")], [{"name": "cat"}]),
        (np.float32(1.5), 1.5),
        (np.arange(3), [0, 1, 2]),
        ({"scores": np.ones(2)}, {"scores": [1.0, 1.0]}),
        (float("nan"), None),
        ([float("inf"), 1], [None, 1]),
        ((1, "ä"), [1, "ä"]),
        (10**30, 10**30),
    ],
    ids=range(10),
)
def test_results_as_json(result: Any, written: Any) -> None:
    body = payload.write(result, "*/*")
    assert body.media_type == JSON
    assert json.loads(body.content) == written


def test_nan_in_an_array_is_null() -> None:
    assert payload.write(np.array([float("nan"), 1]), "*/*").content == b"[null,1.0]"


def test_an_array_is_lists_to_who_does_not_ask_for_npy() -> None:
    assert payload.write(np.arange(2), "application/json").media_type == JSON
    assert payload.write(np.arange(2), f"text/html, {NPY}").media_type == NPY
    assert payload.write([0, 1], NPY).media_type == JSON


def test_what_cannot_be_written_is_an_error_that_says_what() -> None:
    circular: list[Any] = []
    circular.append(circular)
    with pytest.raises(PydanticSerializationError, match="a object cannot be written as JSON"):
        payload.write(object(), "")
    for result in (circular, b"".__class__, "\ud800"):
        with pytest.raises(ValueError, match=r".+"):
            payload.write(result, "")
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        payload.write(np.array([object()], dtype=object), NPY)
