"""Text panels: Markdown to HTML. What is HTML in the text stays text, and nothing is loaded from elsewhere."""

from __future__ import annotations

from functools import cache

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt


@cache
def _renderer() -> MarkdownIt:
    # CommonMark with tables; `html` off escapes tags, links of the kind javascript: are refused by its own check.
    return MarkdownIt("commonmark", {"html": False, "breaks": False}).enable("table").disable("image")


def html_of(text: str) -> SafeString:
    """Return the text as HTML that is safe to show."""
    html: str = _renderer().render(text)
    return mark_safe(html)  # noqa: S308 - the renderer escapes what is not its own
