"""Which events are the same error, and how an event is taken apart."""

from __future__ import annotations

from typing import Any

import pytest
from tests.receivers.sentry.requests import envelope, payload, rows, take


def _hash(**event: Any) -> int:
    [row] = rows(take(envelope(("event", event))), "sentry.events")
    found: int = row["grouping_hash"]
    return found


def _error(
    kind: str = "ValueError", value: str = "v", *functions: str, line: int = 1, app: bool = True
) -> dict[str, Any]:
    frames = [{"module": "app", "function": name, "lineno": line, "in_app": app} for name in functions]
    return {"values": [{"type": kind, "value": value, "stacktrace": {"frames": frames}}]}


def test_lines_and_values_do_not_part_an_error() -> None:
    one = _hash(exception=_error("ValueError", "order 7", "main", "pay", line=10))
    assert one == _hash(exception=_error("ValueError", "order 8", "main", "pay", line=99))
    assert one != _hash(exception=_error("KeyError", "order 7", "main", "pay"))
    assert one != _hash(exception=_error("ValueError", "order 7", "main", "ship"))


def test_frames_of_libraries_count_only_where_there_are_no_others() -> None:
    own = _error("E", "v", "main")
    mixed = _error("E", "v", "main")
    mixed["values"][0]["stacktrace"]["frames"] += [{"module": "lib", "function": "f", "in_app": False}]
    assert _hash(exception=own) == _hash(exception=mixed)
    assert _hash(exception=_error("E", "v", "a", app=False)) != _hash(exception=_error("E", "v", "b", app=False))


def test_recursion_of_any_depth_is_one_error() -> None:
    assert _hash(exception=_error("E", "v", *["walk"] * 3)) == _hash(exception=_error("E", "v", *["walk"] * 90))


def test_the_whole_chain_counts() -> None:
    first, second = _error("A", "v", "f")["values"], _error("B", "v", "g")["values"]
    assert _hash(exception={"values": first + second}) != _hash(exception={"values": second})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("user 17 not found", "user 1800 not found"),
        ("job 0af7651916cd43dd8448eb211c80319c failed", "job 1bf7651916cd43dd8448eb211c80319d failed"),
        ("at 0x7f310f732bd0", "at 0x55aa"),
        ("id 8333339f-5675-4f89-a9a0-1c935255ab58", "id 11111111-5675-4f89-a9a0-1c935255ab58"),
    ],
)
def test_messages_are_compared_without_what_differs(one: str, other: str) -> None:
    assert _hash(message=one) == _hash(message=other)


def test_a_message_counts_as_the_program_has_it() -> None:
    entry = {"message": "no %s", "formatted": "no bread"}
    assert _hash(logentry=entry) == _hash(logentry={**entry, "formatted": "no milk"})
    assert _hash(message="no bread") != _hash(message="no milk")


def test_a_fingerprint_of_the_client_goes_first() -> None:
    assert _hash(message="a", fingerprint=["x"]) == _hash(message="b", fingerprint=["x"])
    assert _hash(message="a", fingerprint=["{{ default }}"]) == _hash(message="a")
    parted = _hash(message="a", fingerprint=["{{ default }}", "x"])
    assert parted not in (_hash(message="a"), _hash(message="b", fingerprint=["{{ default }}", "x"]))


@pytest.mark.parametrize(
    "extra",
    [
        {},
        [],
        {"a": {}, "b": [], "c": [[]], "d": [{}]},
        {"text": 'quote " slash \\ line\n tab\t zero\0 支付 \U0001f600', "n": -1.5e300, "i": 0, "t": True, "z": None},
        {"4111 1111 1111 1111": 1, "päss": "x", "": ["", ["Cookie", "v"]]},
    ],
)
def test_an_event_comes_together_again_as_it_was(extra: Any) -> None:
    [row] = rows(take(envelope(("event", {"message": "m", "extra": extra}))), "sentry.events")
    assert payload(row)["extra"] == extra


def test_a_leaf_is_named_by_what_it_stands_under() -> None:
    extra = {"password": ["a", "b"], "headers": [["Authorization", "Basic x"]], "pin": 1234}
    [row] = rows(take(envelope(("event", {"extra": extra}))), "sentry.events")
    named = [prefix + raw for prefix, raw in zip(row["prefixes"], row["raws"], strict=True)]
    assert {'password="a"', 'password=a="b"', 'headers=Authorization="Basic x"', "pin=1234"} <= set(named)


def test_what_is_nested_too_deep_is_cut() -> None:
    nested: Any = "end"
    for _ in range(200):
        nested = [nested]
    [row] = rows(take(envelope(("event", {"extra": nested}))), "sentry.events")
    assert "end" not in "".join(row["raws"])
    assert payload(row)["extra"]
