"""The shape of what differs between two sets of rows."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from quarterdeck.telemetry.differing import Difference, Differences, Share


class ShareRow(TypedDict):
    """A value: on how many rows of both sets, on which share of them (0 to 1), and the query that selects it.

    `kind` is value, rest (values that are not told apart) or absent (rows without the field). `is_cut`: `value` is the
    beginning of a longer one. `deviations` is the difference of the shares in standard deviations.
    """

    kind: str
    value: str
    now: int
    before: int
    now_share: float
    before_share: float
    is_new: bool
    is_gone: bool
    is_cut: bool
    deviations: float
    query: str


class DifferenceRow(TypedDict):
    """A field. `score`, 0 to 1, is how much of which set a row is of its value tells: the Jensen-Shannon divergence.

    `distinct` values were counted; `rest` of them, too rare or too many, are not told apart.
    """

    field: str
    score: float
    deviations: float
    distinct: int
    rest: int
    values: list[ShareRow]


class DifferencesRow(TypedDict):
    """The fields that differ, most first. `now` and `before` count the rows; `is_sampled`: values were counted in some
    of them.

    `compared` of the `known` fields were compared. `is_cut`: there were more different values than can be counted.
    """

    now: int
    before: int
    is_sampled: bool
    known: int
    compared: int
    is_cut: bool
    fields: list[DifferenceRow]


def differences(found: Differences) -> dict[str, Any]:
    return {
        "now": found.now,
        "before": found.before,
        "is_sampled": found.is_sampled,
        "known": found.known,
        "compared": found.compared,
        "is_cut": found.is_cut,
        "fields": [_difference(one) for one in found.fields],
    }


def _difference(one: Difference) -> dict[str, Any]:
    plain = {name: getattr(one, name) for name in DifferenceRow.__annotations__ if name != "values"}
    return plain | {"values": [_share(share) for share in one.values]}


def _share(one: Share) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ShareRow.__annotations__ if name != "value"} | {"value": one.text}
