"""What travels through Ray: values out and in, on one machine without Ray."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster import ways
from timeouts.testing import hostile
from timeouts.workers.process.parcel import Unsendable
from timeouts.workers.ray import guest
from timeouts.workers.ray.letters import LARGE, SMALL, posted, seal, unseal

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.binary(max_size=2 * SMALL),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside),
    max_leaves=6,
)


def carried(letter: Any) -> Any:
    """Return a letter as Ray would bring it: pickled, its buffers beside it and read-only."""
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(letter, 5, buffer_callback=buffers.append)
    return pickle.loads(stream, buffers=[bytes(buffer.raw()) for buffer in buffers])


@given(VALUES)
def test_a_value_arrives_equal(value: Any) -> None:
    assert unseal(carried(seal(value))) == value


@pytest.mark.parametrize("count", [0, 1, SMALL // 8 - 1, SMALL // 8, LARGE])
def test_an_array_arrives_equal(count: int) -> None:
    """Small ones within the pickle, large ones beside it, and read-only as Ray gives them."""
    array = np.arange(count, dtype=np.float64)
    got = unseal(carried(seal({"array": array})))["array"]
    assert np.array_equal(got, array)
    assert got.flags.writeable is (count < SMALL // 8)


def test_small_values_are_plain_bytes() -> None:
    """Ray carries these fastest."""
    assert type(seal((None, (1, "two"), {}))) is bytes
    assert type(seal(bytes(SMALL))) is tuple


def test_nothing_is_put_anywhere_without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Ray is not there any more, asking it for something would start another one."""
    monkeypatch.setattr(guest.ray, "is_initialized", lambda: False)
    letter = seal(bytes(2 * LARGE))
    assert posted(letter) is letter


def test_functions_without_a_name_are_copied() -> None:
    seven = 7
    assert unseal(seal(lambda x: x + seven))(1) == 8


def test_functions_are_named_where_they_stand_behind_guards() -> None:
    """Copied, they would have globals of their own."""
    function: Any = ways.guarded.__wrapped__  # type: ignore[attr-defined]
    assert unseal(seal(function)) is function


@pytest.mark.parametrize(
    "value",
    [threading.Lock(), hostile.gives_nested(), hostile.fails_on_sending(KeyError("k"))],
    ids=["lock", "nested", "own"],
)
def test_what_cannot_be_sent_says_why(value: Any) -> None:
    with pytest.raises(Unsendable, match=r"Error: "):
        seal(value)
