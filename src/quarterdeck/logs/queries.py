"""Reading logs: search, counts, patterns, live tail, export. Each checks what the actor may read."""

from __future__ import annotations

from quarterdeck.logs.changed import ChangedPattern, Changes, changed
from quarterdeck.logs.counting import Facet, Histogram, Statistics, facets, histogram, statistics
from quarterdeck.logs.patterns import ORDERS, Pattern, patterns
from quarterdeck.logs.searching import Around, Line, Page, Search, around, check, find, get_line, last
from quarterdeck.logs.tailing import Tail, follow, tail

__all__ = [
    "ORDERS",
    "Around",
    "ChangedPattern",
    "Changes",
    "Facet",
    "Histogram",
    "Line",
    "Page",
    "Pattern",
    "Search",
    "Statistics",
    "Tail",
    "around",
    "changed",
    "check",
    "facets",
    "find",
    "follow",
    "get_line",
    "histogram",
    "last",
    "patterns",
    "statistics",
    "tail",
]
