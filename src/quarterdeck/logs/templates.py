"""A line's template: what stays when numbers, ids, addresses and quoted texts are taken out. In SQL, for the engine."""

from __future__ import annotations

from quarterdeck.telemetry.mapping import quoted

# In order: what is more special comes first. (regular expression of RE2, what stands in its place)
MASKS = (
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?", "<time>"),
    (r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b", "<uuid>"),
    (r"\b[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?::[0-9]+)?\b", "<ip>"),
    (r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b", "<mac>"),
    (r"[\w.+-]+@[\w-]+\.[\w.]+", "<email>"),
    (r"\"(?:[^\"\\]|\\.)*\"", "<text>"),
    (r"\b0x[0-9a-fA-F]+\b", "<hex>"),
    # Letters and digits mixed in any order, as ids are: at least one digit, long enough to be no word.
    (r"\b[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}\b|\b[0-9a-fA-F]{7,}[0-9][0-9a-fA-F]*\b", "<hex>"),
    (r"[0-9]+(?:\.[0-9]+)?", "<num>"),
)
# Of a longer line the beginning tells what it is.
MASKED_CHARACTERS = 500


def template(text: str) -> str:
    """Return SQL for the template of the expression `text`, at most 500 characters of it."""
    masked = f"substring({text}, 1, {MASKED_CHARACTERS})"
    for regex, name in MASKS:
        masked = f"replaceRegexpAll({masked}, {quoted(regex)}, {quoted(name)})"
    return masked
