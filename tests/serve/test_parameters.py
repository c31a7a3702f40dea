"""A JSON object becomes a handler's arguments, and what cannot is a fault with a place and a reason."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator

from timeouts.serve.parameters import MANY, Invalid, Parameters


class Image(BaseModel):
    name: str
    size: int = 1


def plain(x: float, n: int = 1, *, note: str = "") -> None: ...


def positional(x: int, y: int = 2, /, z: int = 3) -> None: ...


def nested(image: Image) -> None: ...


def bare(x, y=2) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    ...


def raw(data: bytes, scale: float = 1.0) -> None: ...


def array(x: np.ndarray[Any, Any]) -> None: ...


def maybe_array(x: np.ndarray[Any, Any] | None = None) -> None: ...


def model_(model_config: int, schema: int, p0: int) -> None: ...


def nothing() -> None: ...


def read(function: Callable[..., Any], body: Any) -> tuple[list[Any], dict[str, Any]]:
    return Parameters(function, "it").from_json(json.dumps(body).encode())


def faults(function: Callable[..., Any], body: bytes) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        Parameters(function, "it").from_json(body)
    return {fault["where"]: fault["what"] for fault in caught.value.faults}


def faults_of(reading: Callable[[], object]) -> list[dict[str, str]]:
    """Return the faults that a reading finds; any other error is one of ours."""
    try:
        reading()
    except Invalid as wrong:
        return wrong.faults
    return []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text())
def test_what_is_sent_is_what_the_handler_gets(x: float, n: int, note: str) -> None:
    args, kwargs = read(plain, {"x": x, "n": n, "note": note})
    assert (args, kwargs) == ([], {"x": x, "n": n, "note": note})


@given(JSON)
def test_whatever_comes_is_read_or_is_a_fault_with_a_place(body: Any) -> None:
    """And no other error, whatever the shape of the body."""
    for function in (plain, positional, nested, bare, raw, array, maybe_array, nothing):
        parameters = Parameters(function, "it")
        found = faults_of(lambda p=parameters: p.from_json(json.dumps(body).encode()))  # type: ignore[misc]
        assert all(fault["where"] and fault["what"] for fault in found)
        if not found:
            args, kwargs = read(function, body)
            function(*args, **kwargs)


@given(st.binary(max_size=50))
def test_whatever_bytes_come_are_read_or_are_a_fault(body: bytes) -> None:
    parameters = Parameters(plain, "it")
    for way in (parameters.from_json, parameters.from_value):
        faults_of(lambda w=way: w(body))  # type: ignore[misc]


def test_defaults_stand_for_what_is_left_out() -> None:
    assert read(plain, {"x": 1}) == ([], {"x": 1.0, "n": 1, "note": ""})
    assert read(nothing, {}) == ([], {})
    assert Parameters(nothing, "it").from_json(b"") == ([], {})


def test_positional_parameters_are_passed_by_position() -> None:
    assert read(positional, {"x": 1, "z": 5}) == ([1, 2], {"z": 5})


def test_models_and_names_that_pydantic_keeps_for_itself() -> None:
    assert read(nested, {"image": {"name": "a"}}) == ([], {"image": Image(name="a")})
    names = {"model_config": 1, "schema": 2, "p0": 3}
    assert read(model_, names) == ([], names)


def test_without_annotations_anything_goes() -> None:
    assert read(bare, {"x": [1, "a"]}) == ([], {"x": [1, "a"], "y": 2})


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"x":"a"}', "x"),
        (b"{}", "x"),
        (b'{"x":1,"y":2}', "y"),
        (b"[1]", "body"),
        (b"not JSON", "body"),
        (b'{"x":1', "body"),
        (b"\xff", "body"),
        (b'{"x":' + b"[" * 10_000, "body"),
        (b'{"x":1' + b"0" * 10_000 + b"}", "body"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_fault_names_its_place(body: bytes, where: str) -> None:
    assert where in faults(plain, body)


def test_a_fault_inside_a_model_names_the_way_to_it() -> None:
    assert "image.size" in faults(nested, b'{"image":{"name":"a","size":"x"}}')


def test_many_faults_are_only_counted_and_long_names_cut() -> None:
    body = json.dumps({str(n): 0 for n in range(MANY + 1)}).encode()
    assert faults(nothing, body) == {"body": f"{MANY + 1} faults"}
    (where,) = faults(nothing, json.dumps({"y" * 10_000: 0}).encode())
    assert len(where) == MANY


def test_faults_do_not_echo_what_was_sent() -> None:
    assert "hunter2" not in str(faults(plain, b'{"x":"hunter2"}'))


def test_a_single_value_goes_to_the_only_parameter_that_must_be_there() -> None:
    parameters = Parameters(raw, "it")
    assert parameters.only == "data"
    assert parameters.from_value(b"abc") == ([], {"data": b"abc", "scale": 1.0})


@pytest.mark.parametrize("function", [positional, plain])
def test_one_with_a_default_beside_it_is_the_only_one(function: Callable[..., Any]) -> None:
    assert Parameters(function, "it").only == "x"


def test_a_single_value_is_no_body_for_many_parameters() -> None:
    def many(x: int, y: int) -> None: ...

    parameters = Parameters(many, "it")
    assert parameters.only is None
    with pytest.raises(Invalid, match="it takes a JSON object"):
        parameters.from_value(b"abc")
    assert Parameters(nothing, "it").only is None


def test_arrays_are_read_from_lists() -> None:
    _, kwargs = read(array, {"x": [[1, 2], [3, 4]]})
    assert kwargs["x"].tolist() == [[1, 2], [3, 4]]
    assert "x" in faults(array, b'{"x":[{"a":1}]}')
    assert "x" in faults(array, b'{"x":[[1],[2,3]]}')


def test_partials_methods_and_callable_objects() -> None:
    class Model:
        def predict(self, x: int) -> None: ...

        def __call__(self, x: int) -> None: ...

    for function in (functools.partial(plain, n=2), Model().predict, Model()):
        assert read(function, {"x": 3})[1]["x"] == 3
        assert "x" in faults(function, b'{"x":"a"}')


@pytest.mark.parametrize("star", ["*", "**"])
def test_parameters_without_a_name_of_their_own_are_refused(star: str) -> None:
    def many(*args: int) -> None: ...

    def named(**args: int) -> None: ...

    with pytest.raises(TypeError, match=f"it takes \\{star}args"):
        Parameters(many if star == "*" else named, "it")


def test_a_validator_s_own_failure_is_not_the_client_s() -> None:
    def broken(_: Any) -> Any:
        raise KeyError("a bug")

    def function(x: Any) -> None: ...

    from typing import Annotated

    function.__annotations__["x"] = Annotated[int, BeforeValidator(broken)]
    with pytest.raises(KeyError):
        read(function, {"x": 1})
