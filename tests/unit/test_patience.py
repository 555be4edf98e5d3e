"""Trying a store again."""

from collections.abc import Callable

import pytest

from holdfast.errors import NotAuthorized, StoreUnavailable
from holdfast.stores.patience import TRIES, patiently


def failing(times: int, error: Exception) -> tuple[list[int], Callable[[], str]]:
    calls: list[int] = []

    def call() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return calls, call


def test_a_passing_outage_is_ridden_out() -> None:
    pauses: list[float] = []
    calls, call = failing(TRIES - 1, StoreUnavailable("down"))
    assert patiently(call, pauses.append) == "done"
    assert len(pauses) == len(calls) - 1


def test_an_outage_that_lasts_is_raised_after_a_bounded_number_of_tries() -> None:
    calls, call = failing(99, StoreUnavailable("down"))
    with pytest.raises(StoreUnavailable):
        patiently(call, lambda _: None)
    assert len(calls) == TRIES


def test_what_no_retry_mends_is_raised_at_once() -> None:
    calls, call = failing(99, NotAuthorized("no"))
    with pytest.raises(NotAuthorized):
        patiently(call, lambda _: None)
    assert len(calls) == 1
