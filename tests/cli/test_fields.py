"""`key=value` arguments become the body that the API takes."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.cli.fields import body_of
from quarterdeck.core.errors import BadInput


@pytest.mark.parametrize(
    ("pairs", "unset", "body"),
    [
        (["env=prod", "cpu_count=8"], [], {"env": "prod", "attributes": {"cpu_count": "8"}}),
        (["label.role=web", "labels.tier=1"], [], {"labels": {"role": "web", "tier": "1"}}),
        (["attributes.env=x"], [], {"attributes": {"env": "x"}}),
        (["ports:=[80, 443]"], [], {"attributes": {"ports": [80, 443]}}),
        (["note=a=b"], [], {"attributes": {"note": "a=b"}}),
        (["os_version=1.10"], [], {"attributes": {"os_version": "1.10"}}),
        (
            [],
            ["label.role", "cpu_count", "owner"],
            {"labels": {"role": None}, "attributes": {"cpu_count": None}, "owner": None},
        ),
    ],
)
def test_it_puts_each_value_in_its_place(pairs: list[str], unset: list[str], body: dict[str, Any]) -> None:
    assert body_of(pairs, unset) == body


@pytest.mark.parametrize(
    ("pair", "sentence"), [("cpu", "not key=value"), ("=8", "not key=value"), ("a:=[", "is not JSON")]
)
def test_it_rejects_what_is_no_pair(pair: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        body_of([pair])
