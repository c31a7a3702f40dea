"""The caller of a budgeted handle at its deadline, without a Ray that runs."""

from __future__ import annotations

import asyncio
import sys
import warnings

import pytest

from timeouts import GatewayTimeoutError

if sys.version_info >= (3, 14):
    pytest.skip("Ray has no wheels for Python 3.14", allow_module_level=True)

with warnings.catch_warnings():  # of Ray's own imports
    warnings.simplefilter("ignore")
    from tests.adapters.ray_serve_fakes import Handle
    from timeouts.adapters.ray_serve import budgeted

pytestmark = pytest.mark.realtime


def test_at_its_deadline_a_caller_is_told_and_the_request_cancelled() -> None:
    """What the replica does is not known: the error says that it runs."""
    handle = Handle(asyncio.Event())
    response = budgeted(handle, 0.1).remote()
    with pytest.raises(GatewayTimeoutError, match="budget allows") as caught:
        response.result()
    assert handle.response.cancelled.wait(30)
    assert caught.value.limit == pytest.approx(0.1)
    assert (caught.value.started, caught.value.work) == (True, "still running")


def test_a_request_is_cancelled_though_nobody_waits_for_it() -> None:
    """Fire and forget has an end, too."""
    handle = Handle(asyncio.Event())
    response = budgeted(handle, 0.1).remote()
    assert handle.response.cancelled.wait(30)
    with pytest.raises(GatewayTimeoutError):
        response.result()
