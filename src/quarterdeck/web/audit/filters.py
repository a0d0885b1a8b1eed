"""The filters above the audit log: a query, and choices that become part of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

RESULTS: tuple[tuple[str, str | Promise], ...] = (("ok", _("done")), ("denied", _("refused")), ("error", _("failed")))
SPANS: tuple[tuple[str, str | Promise], ...] = (
    ("", _("Any time")),
    ("-1h", _("Last hour")),
    ("-1d", _("Last 24 hours")),
    ("-7d", _("Last 7 days")),
    ("-30d", _("Last 30 days")),
)


def quoted(text: str) -> str:
    """Return text as one term of a query, whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for. `query` is what was typed; `whole` joins everything to one query of the log."""

    query: str
    result: str
    verb: str
    since: str
    request: str

    @classmethod
    def of(cls, request: HttpRequest) -> Filters:
        asked = request.GET
        result, since = asked.get("result", ""), asked.get("since", "")
        return cls(
            query=asked.get("q", "").strip(),
            result=result if result in dict(RESULTS) else "",
            verb=asked.get("verb", ""),
            since=since if since in dict(SPANS) else "",
            request=asked.get("request", ""),
        )

    @property
    def whole(self) -> str:
        parts = [
            f"({self.query})" if self.query else "",
            f"result:{self.result}" if self.result else "",
            f"verb:{quoted(self.verb)}" if self.verb else "",
            f"at:>={self.since}" if self.since else "",
            f"request:{quoted(self.request)}" if self.request else "",
        ]
        return " ".join(part for part in parts if part)
