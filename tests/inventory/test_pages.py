"""Pages of lists: complete, in order, wherever one begins; cursors that nobody made are refused."""

from __future__ import annotations

import base64

import pytest
from tests.inventory.conftest import Sync, host

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.queries import items, page

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("sort", ["", "name", "-name", "type", "-last_seen", "id", "-id", "state", "env"])
def test_pages_are_complete_and_in_order_at_any_size(sync: Sync, sort: str) -> None:
    sync(*(host(f"h{n % 7}", key=f"k{n}", env="ab"[n % 2]) for n in range(23)))
    expected = list(items(SYSTEM, "", sort).values_list("pk", flat=True))
    for limit in (1, 5, 23, 50):
        seen: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            rows, cursor = page(items(SYSTEM, "", sort), cursor, limit)
            seen.extend(row.pk for row in rows)
        assert seen == expected


@pytest.mark.parametrize(("near", "far"), [(2, 4), (3, 100), (1, 0)])
@pytest.mark.parametrize(
    "query", ["role:web", "role:api cpu_count:>=4", "h -role:web", "cpu_count:>=4 h", '"h 1"', "role:nowhere"]
)
@pytest.mark.parametrize("sort", ["", "-name", "type", "-last_seen"])
def test_pages_are_complete_wherever_what_is_selected_stands(
    sync: Sync, monkeypatch: pytest.MonkeyPatch, near: int, far: int, query: str, sort: str
) -> None:
    """However few rows are looked at before PostgreSQL selects all ids first."""
    monkeypatch.setattr("quarterdeck.inventory.queries.paging._NEAR", near)
    monkeypatch.setattr("quarterdeck.inventory.queries.paging._FAR", far)
    roles = ("api", "api", "api", "db", "web")
    sync(
        *(host(f"h {n // 5}", {"cpu_count": n % 9 + 1}, key=f"k{n}", labels={"role": roles[n // 5]}) for n in range(25))
    )
    expected = list(items(SYSTEM, query, sort).values_list("pk", flat=True))
    for limit in (1, 4, 50):
        seen: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            rows, cursor = page(items(SYSTEM, query, sort), cursor, limit)
            seen.extend(row.pk for row in rows)
        assert seen == expected


def test_a_renamed_item_stands_at_its_new_place(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where PostgreSQL reads the page from the side index, in the order of the names that stand there."""
    monkeypatch.setattr("quarterdeck.inventory.queries.paging._NEAR", 2)
    monkeypatch.setattr("quarterdeck.inventory.queries.paging._FAR", 2)
    fleet = [host(f"h{n}", key=f"k{n}", labels={"role": "web" if n in (2, 5, 7) else "db"}) for n in range(9)]
    sync(*fleet)
    sync(host("a", key="k7", labels={"role": "web"}))
    assert [row.name for row in page(items(SYSTEM, "role:web"), "", 5)[0]] == ["a", "h2", "h5"]
    assert [row.name for row in page(items(SYSTEM, "role:web"), "", 2)[0]] == ["a", "h2"]


@pytest.mark.parametrize("cursor", ["x", "W10", "e30", "bnVsbA", "WyJhIiwgImIiXQ", "!!", "W1tdLFtdXQ"])
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput):
        page(items(SYSTEM), cursor, 5)


@pytest.mark.parametrize("sort", ["name", "-last_seen", "type"])
@pytest.mark.parametrize("values", ["[null,1]", "[true,1]", "[1.5,1]", '["a\\u0000b",1]', '["2026-01-01","x"]'])
def test_a_cursor_of_values_that_a_column_never_has_is_refused(sort: str, values: str) -> None:
    cursor = base64.urlsafe_b64encode(values.encode()).decode().rstrip("=")
    with pytest.raises(BadInput):
        page(items(SYSTEM, "", sort), cursor, 5)


def test_a_cursor_of_a_time_is_one() -> None:
    with pytest.raises(BadInput):
        page(items(SYSTEM, "", "last_seen"), "WyJnYXJiYWdlIiwxXQ", 5)
