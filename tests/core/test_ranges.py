"""Patterns of names."""

from __future__ import annotations

import pytest

from quarterdeck.core.errors import BadInput
from quarterdeck.core.ranges import MAX_NAMES, expanded


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("web1", ["web1"]),
        ("web[08:10].example", ["web08.example", "web09.example", "web10.example"]),
        ("db[a:c]", ["dba", "dbb", "dbc"]),
        ("n[1:7:3]", ["n1", "n4", "n7"]),
        ("n[1,5:6,x]", ["n1", "n5", "n6", "nx"]),
        ("r[1:2]-[a:b]", ["r1-a", "r1-b", "r2-a", "r2-b"]),
    ],
)
def test_it_expands(pattern: str, names: list[str]) -> None:
    assert expanded(pattern) == names


@pytest.mark.parametrize(
    "pattern",
    ["", "web[", "web]1[", "web[]", "web[3:1]", "web[c:a]", "web[1:]", "web[a:C]", "n[1:5:0]", "n[[1:2]]", "n[$(x)]",
     f"n[1:{MAX_NAMES + 1}]", "n[1:999999999]", "n[1:200][1:200]"],
)  # fmt: skip
def test_it_refuses_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        expanded(pattern)
