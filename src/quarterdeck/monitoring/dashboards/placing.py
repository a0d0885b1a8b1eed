"""Variables in queries, as Grafana writes them: $name, ${name}, ${name:format}, [[name]].

See https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from quarterdeck.monitoring.dashboards.definitions import Definition

_PLACE = re.compile(r"\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]")
_SPECIAL = re.compile(r"[\\^$.*+?()\[\]{}|/]")
# What a rate needs to see: four scrapes of the usual interval, see Grafana's $__rate_interval.
RATE_SECONDS_MIN = 120


def with_values(text: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """Return `text` with every known variable as its value; what is not known stays as it is.

    One value goes in as it is, several as the alternatives of a regular expression: for `=~`. `:regex`, `:pipe`,
    `:csv` and `:raw` ask for a form by name.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[4]
        if name not in values:
            return match[0]
        return _written(values[name], match[3] or match[5] or "")

    return _PLACE.sub(value, text)


def _written(value: str | Sequence[str], form: str) -> str:
    several = [value] if isinstance(value, str) else list(value)
    if form == "csv":
        return ",".join(several)
    if form in ("raw", "pipe"):
        return "|".join(several)
    if form == "regex" or not isinstance(value, str):
        return alternatives(several)
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def alternatives(values: Sequence[str]) -> str:
    """Return a regular expression inside a PromQL string that matches exactly these."""
    escaped = [_in_string(_SPECIAL.sub(r"\\\g<0>", value)) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _in_string(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def time_values(seconds: int, step_seconds: int) -> dict[str, str]:
    """Return the variables that the time range gives. `step_seconds` lies between two points."""
    rate = max(RATE_SECONDS_MIN, step_seconds * 4)
    return {
        "__interval": f"{step_seconds}s",
        "__interval_ms": str(step_seconds * 1000),
        "__rate_interval": f"{rate}s",
        "__range": f"{seconds}s",
        "__range_s": str(seconds),
        "__range_ms": str(seconds * 1000),
    }


def sample_values(definition: Definition) -> dict[str, str]:
    """Return a value for each variable with which a query has to parse."""
    values = time_values(3600, 15)
    for variable in definition.variables:
        values[variable.name] = "5m" if variable.kind == "interval" else _sample(variable.options)
    return values


def _sample(options: Sequence[str]) -> str:
    return options[0] if options else "1"
