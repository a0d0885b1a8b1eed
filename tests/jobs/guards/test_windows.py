"""Windows of the week."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.guards.windows import is_inside, windows_of

SHANGHAI = "Asia/Shanghai"


# 2026-11-27 is a Friday.
@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("Mon-Fri 08:00-18:00", "2026-11-27T08:00", True),
        ("Mon-Fri 08:00-18:00", "2026-11-27T18:00", False),
        ("Mon-Fri 08:00-18:00", "2026-11-28T09:00", False),
        ("Fri 22:00-06:00", "2026-11-28T05:59", True),
        ("Fri 22:00-06:00", "2026-11-28T06:00", False),
        ("Fri 22:00-06:00", "2026-11-27T05:59", False),
        ("Sun 22:00-06:00", "2026-11-30T01:00", True),
        ("Sat,Sun", "2026-11-29T23:59", True),
        ("Sat,Sun", "2026-11-30T00:00", False),
        ("fri-mon 10:00-11:00", "2026-11-30T10:30", True),
        ("Daily 12:00-24:00", "2026-11-25T23:59", True),
        ("Mon 01:00-02:00\nFri 01:00-02:00", "2026-11-27T01:30", True),
    ],
)
def test_a_moment_is_inside_by_the_clocks_of_the_place(text: str, at: str, expected: bool) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(SHANGHAI))
    assert is_inside(windows_of(text), moment.astimezone(ZoneInfo("UTC")), SHANGHAI) is expected


@pytest.mark.parametrize(
    "text",
    ["Mon-", "Mon 8-9", "Mon 08:00-08:00", "Mon 25:00-26:00", "Mon 08:60-09:00", "Noday 08:00-09:00", "x"],
)
def test_what_is_no_window_is_told(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        windows_of(text)
    assert caught.value.hint == "Mon-Fri 22:00-06:00"
