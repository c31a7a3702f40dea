"""What every kind of worker owes its callers, played on Ray actors: the suite of the other kinds.

Each scenario has actors of its own, and a start takes about a second of processor time. So those are left out
in which the kind of worker has no part: they try the core, and are played on the other kinds.
"""

from __future__ import annotations

import pytest

from tests.shells import test_conformance, test_streams

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.usefixtures("cluster"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves sockets to the collector
]

PROMISES = (
    "the_handlers_error_reaches_the_caller_as_itself",
    "execution_expires_on_time",
    "a_reply_is_no_release",
    "work_that_can_be_stopped_is_stopped",
    "a_caller_who_leaves_withdraws",
    "close_ends_all_there_is",
    "close_without_anything_to_end",
    "a_handler_knows_what_remains",
    "a_handler_knows_what_remains_of_a_limit_that_is_learned",
    "a_handler_knows_what_remains_for_each_item",
    "observers_are_told_the_facts",
    "a_drain_does_not_wait_for_abandoned_work",
    "items_come_as_they_are_asked_for",
    "a_generators_return_value_arrives",
    "an_error_midway_arrives_as_itself",
    "an_early_close_stops_the_generator",
    "the_first_item_has_a_limit",
    "a_gap_between_items_has_a_limit",
    "a_paused_stream_expires_and_frees_the_slot",
    "a_consumer_who_leaves_while_asking_withdraws",
    "a_close_ends_streams",
)
_SUITE = {**vars(test_conformance), **vars(test_streams)}

for _promise in PROMISES:
    globals()[f"test_{_promise}"] = _SUITE[f"test_{_promise}"]
