"""What stands in a datagram: `name:value|type|@rate|#tag:value,tag`, one metric a line, several values by DogStatsD.

See https://github.com/statsd/statsd/blob/master/docs/metric_types.md and
https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from quarterdeck.telemetry.naming import LABELS_MAX, VALUE_MAX, label_name, metric_name
from quarterdeck.telemetry.receiving import Refused

_KINDS = {"c": "counter", "g": "gauge", "ms": "timer", "h": "histogram", "d": "histogram", "s": "set"}
# What a set counts is remembered until the flush.
_MEMBER_MAX = 1024
# Far beyond what anybody measures, and far below what overflows when it is added up or divided by a rate.
_NUMBER_MAX, _RATE_MIN = 1e100, 1e-6
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Update:
    """One value. `rate` is the share of events that were sent; `is_delta` says that a gauge moves by `number`.

    A set's value is `member`.
    """

    kind: str
    metric: str
    labels: Labels
    number: float = 0.0
    rate: float = 1.0
    is_delta: bool = False
    member: str = ""


def updates_of(line: str) -> Iterator[Update]:
    """Yield the values of one line. Raises Refused."""
    if line.startswith(("_e{", "_sc|")):
        raise Refused("events and service checks of DogStatsD are no metrics", reason="no_metric")
    head, bar, rest = line.partition("|")
    name, colon, values = head.partition(":")
    # etsy's tags stand in the name: name;tag=value or name,tag=value.
    name, tags = _inline_tags(name)
    if not bar or not colon:
        raise Refused("expected name:value|type")
    code, *fields = rest.split("|")
    kind = _KINDS.get(code)
    metric = metric_name(name)
    if kind is None or not metric:
        raise Refused("no known type" if kind is None else "no name", reason="type" if kind is None else "name")
    rate, more = _fields(fields)
    labels = labels_of(",".join(filter(None, (tags, more))))
    # DogStatsD 1.1 packs values: name:1:2:3|ms. A member of a set may hold a colon.
    for value in values.split(":") if kind != "set" else [values]:
        yield _update(kind, metric, labels, value, rate)


def _inline_tags(name: str) -> tuple[str, str]:
    for separator in (";", ","):
        if separator in name:
            name, _separator, tags = name.partition(separator)
            return name, tags.replace(";", ",").replace("=", ":")
    return name, ""


def _fields(fields: list[str]) -> tuple[float, str]:
    """Return the sample rate and the tags; what else newer DogStatsD adds (container, time) is not needed."""
    rate, tags = 1.0, ""
    for field in fields:
        if field.startswith("@"):
            rate = _number(field[1:])
            if not _RATE_MIN <= rate <= 1:
                raise Refused("the rate is a share of 1", reason="rate")
        elif field.startswith("#"):
            tags = field[1:]
    return rate, tags


@lru_cache(65_536)
def labels_of(tags: str) -> Labels:
    """Return `(("env", "prod"),)` for `env:prod`; a tag without a value is "true". Raises Refused."""
    found: dict[str, str] = {}
    for tag in tags.split(","):
        if not tag:
            continue
        name, colon, value = tag.partition(":")
        label = label_name(name)
        if not label or len(value) > VALUE_MAX:
            raise Refused("a tag has no name, or too long a value", reason="labels")
        if value or not colon:
            found[label] = value if colon else "true"
    if len(found) > LABELS_MAX:
        raise Refused("too many tags", reason="labels")
    return tuple(sorted(found.items()))


def _update(kind: str, metric: str, labels: Labels, value: str, rate: float) -> Update:
    if kind == "set":
        if not value or len(value) > _MEMBER_MAX:
            raise Refused("a set's member is missing or too long", reason="number")
        return Update(kind, metric, labels, member=value)
    return Update(kind, metric, labels, _number(value), rate, kind == "gauge" and value[:1] in ("+", "-"))


def _number(text: str) -> float:
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        number = math.nan
    # NaN is no smaller than anything.
    if not abs(number) <= _NUMBER_MAX:
        raise Refused("the value is no finite number", reason="number")
    return number
