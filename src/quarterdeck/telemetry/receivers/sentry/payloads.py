"""An event as JSON whose leaves can be looked at one by one.

The rules of redaction are known when a row is loaded, and a pattern that rewrites JSON as text may break it: a number
becomes `[card]`, a quote of the syntax is taken for one of the value, an escaped one hides a password. So the JSON goes
to the engine in parts, `pieces[1] raws[1] pieces[2] raws[2] ... tail`: `raws` are the leaves (texts and numbers) as they
stand in the JSON, `prefixes` say what they are ("password="), and the engine puts together what the rules leave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_DEPTH_MAX = 100
# Names that can hold no secret; others are looked at as values are.
_PLAIN = re.compile(r"[A-Za-z_.$<>@ -]{0,64}")


@dataclass(frozen=True, slots=True)
class Payload:
    """JSON in parts; `pieces`, `raws` and `prefixes` have the same length."""

    pieces: list[str]
    raws: list[str]
    prefixes: list[str]
    tail: str

    def whole(self) -> str:
        """Return the JSON."""
        return "".join(piece + raw for piece, raw in zip(self.pieces, self.raws, strict=True)) + self.tail


def payload_of(value: Mapping[str, Any]) -> Payload:
    """Take a JSON object apart. What is nested deeper than 100 is left out."""
    writer = _Writer()
    writer.write(value, "", 0)
    return Payload(writer.pieces, writer.raws, writer.prefixes, "".join(writer.text))


class _Writer:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.raws: list[str] = []
        self.prefixes: list[str] = []
        self.text: list[str] = []

    def _leaf(self, raw: str, name: str) -> None:
        self.pieces.append("".join(self.text))
        self.text.clear()
        self.raws.append(raw)
        self.prefixes.append(f"{name[:100]}=" if name else "")

    def write(self, value: Any, name: str, depth: int) -> None:
        """Write `value`, which stands under `name`."""
        if value is None or isinstance(value, bool):
            self.text.append({None: "null", True: "true", False: "false"}[value])
        elif isinstance(value, (str, int, float)):
            self._leaf(orjson.dumps(value).decode(), name)
        elif depth >= _DEPTH_MAX:
            self.text.append("null")
        elif isinstance(value, dict):
            self._write_object(value, depth)
        else:
            self._write_list(value, name, depth)

    def _write_object(self, value: dict[str, Any], depth: int) -> None:
        before = "{"
        for name, inner in value.items():
            self.text.append(before)
            before = ","
            raw = orjson.dumps(name).decode()
            if _PLAIN.fullmatch(name):
                self.text.append(raw)
            else:
                self._leaf(raw, "")
            self.text.append(":")
            self.write(inner, name, depth + 1)
        self.text.append("}" if value else "{}")

    def _write_list(self, value: list[Any], name: str, depth: int) -> None:
        # Headers and cookies come as pairs of name and value.
        is_pair = len(value) == 2 and isinstance(value[0], str)
        second = f"{name}={value[0]}" if is_pair and name else value[0] if is_pair else name
        self.text.append("[")
        for place, inner in enumerate(value):
            if place:
                self.text.append(",")
            self.write(inner, second if place else name, depth + 1)
        self.text.append("]")
