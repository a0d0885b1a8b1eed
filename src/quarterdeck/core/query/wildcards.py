"""Values with wildcards as regular expressions that are matched in time linear in the text."""

from __future__ import annotations

import re

from quarterdeck.core.query.nodes import Value


def escaped(text: str) -> str:
    """Escape for Python's and PostgreSQL's regular expressions; letters and digits of any language stay."""
    return re.sub(r"([^\w\s])", r"\\\1", text)


def wildcards(value: Value, between: str = ".", *, vendor: str = "sqlite") -> str:
    """Return the value as a regular expression in lower case; each `*` is any number of the characters `between`.

    Python's expressions, which are SQLite's as well, try every way to cut a text unless they are told not to: the first
    place where a piece fits is as good as any later one, so each is an atomic group. PostgreSQL's know no such groups,
    and need none.
    """
    first, *rest = [escaped(piece.lower()) for piece in value.pieces]
    if not rest or vendor == "postgresql":
        return f"{between}*".join([first, *rest])
    middle = "".join(f"(?>{between}*?{piece})" for piece in rest[:-1] if piece)
    return f"{first}{middle}{between}*{rest[-1]}"
