"""Pauses of the cycle collector."""

import gc

import pytest

from quarterdeck.core.collector import collector_paused


@collector_paused()
def _fail() -> None:
    raise ValueError(gc.isenabled())


def test_it_is_off_inside_and_on_again_after_an_error() -> None:
    with pytest.raises(ValueError, match="False"):
        _fail()
    assert gc.isenabled()


def test_overlapping_pauses_leave_it_on() -> None:
    first, second = collector_paused(), collector_paused()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()
    with collector_paused(), collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
