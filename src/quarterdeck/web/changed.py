"""What the panels of changes show: values with two bars each, and where a click leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from quarterdeck.telemetry.differing import Difference, Share

Title = Callable[[str, str], str | Promise]
Address = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Bars:
    """A row: how many, and which share (0 to 1), before and now. `url` is "" where no query selects the rows.

    `detail` stands behind the title.
    """

    title: str
    url: str
    now: float
    before: float
    now_share: float
    before_share: float
    is_new: bool
    is_gone: bool
    is_code: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A field with its values. `note` tells what was taken together."""

    title: str
    score: float
    rows: list[Bars]
    note: str


def group(
    one: Difference,
    title: str | Promise,
    value_title: Title,
    address: Address,
    detail: Callable[[Share], str] | None = None,
) -> Group:
    """Return a field's panel; `value_title(field, value)` is a value in the person's language."""
    note = ""
    if one.rest:
        note = ngettext(
            "%(n)d rare value is taken together.", "%(n)d rare values are taken together.", one.rest
        ) % {"n": one.rest}  # fmt: skip
    rows = [_bars(one.field, share, value_title, address, detail) for share in one.values]
    return Group(str(title), one.score, rows, note)


def _bars(
    field: str, share: Share, value_title: Title, address: Address, detail: Callable[[Share], str] | None
) -> Bars:
    named = {"rest": _("other values"), "absent": _("without it")}
    title = named.get(share.kind) or f"{value_title(field, share.text)}{'…' if share.is_cut else ''}"
    return Bars(
        title, address(share.query) if share.query else "", share.now, share.before, share.now_share,
        share.before_share, share.is_new, share.is_gone, is_code=share.kind == "value",
        detail=detail(share) if detail else "",
    )  # fmt: skip
