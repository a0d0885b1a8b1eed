"""What a selector says about labels without a look at the data."""

from __future__ import annotations

from collections import Counter
from typing import Any

from promql_parser import MatchOp

from quarterdeck.telemetry.promql.plan import NO_LABELS, Parameters


def absent_labels(selector: Any, parameters: Parameters) -> str:
    """Return the labels of what is absent: those that the selector gives one value, and only that.

    See createLabelsForAbsentFunction in promql/functions.go.
    """
    matchers = [matcher for matcher in selector.matchers.matchers if matcher.name != "__name__"]
    times = Counter(matcher.name for matcher in matchers)
    known = sorted(
        (matcher.name, matcher.value)
        for matcher in matchers
        if matcher.op == MatchOp.Equal and times[matcher.name] == 1 and matcher.value
    )
    if not known:
        return NO_LABELS
    names, values = ([pair[index] for pair in known] for index in (0, 1))
    return f"mapFromArrays({parameters.texts(names)}, {parameters.texts(values)})"
