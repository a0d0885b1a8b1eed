"""Names of metrics and labels from protocols that allow more in them than Prometheus' data model.

Letters of every script stay, so that two names in Chinese do not become one; everything else becomes `_`.
See https://prometheus.io/docs/concepts/data_model/
"""

from __future__ import annotations

import re
from functools import lru_cache

# Longer names are a sender's mistake (a value in the name): they would fill the index.
NAME_MAX = 512
LABELS_MAX = 128
VALUE_MAX = 4096
_NOT_OF_METRICS = re.compile(r"[^\w:]")
_NOT_OF_LABELS = re.compile(r"\W")
_NAMES_KEPT = 65_536


@lru_cache(_NAMES_KEPT)
def metric_name(text: str) -> str:
    """Return `servers_web1_load` for `servers.web1.load`; "" when nothing of the name can stand, or it is too long."""
    return _named(_NOT_OF_METRICS, text)


@lru_cache(_NAMES_KEPT)
def label_name(text: str) -> str:
    """As `metric_name`, for a label; `__name__` and its like are Prometheus' own and lose their underscores."""
    name = _named(_NOT_OF_LABELS, text)
    return name.lstrip("_") if name.startswith("__") else name


def _named(unknown: re.Pattern[str], text: str) -> str:
    name = unknown.sub("_", text)
    if not name.strip("_") or len(name) > NAME_MAX:
        return ""
    return f"_{name}" if name[0].isdigit() else name
