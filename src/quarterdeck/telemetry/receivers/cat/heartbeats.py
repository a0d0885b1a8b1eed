"""What a client says of its process once a minute: XML with numbers as attributes, or `name=number&...`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

# A client tells some dozens; more is not a heartbeat.
_READINGS_MAX = 1000
_ELEMENTS_DEPTH = 8
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?([eE]-?[0-9]{1,3})?", re.ASCII)
# Attributes that say which one it is, not how much.
_NAMES = ("id", "name")


@dataclass(frozen=True, slots=True)
class Reading:
    """A number of a heartbeat: `cat_memory_heap_usage` of `<memory heap-usage="..."/>`."""

    metric: str
    labels: Mapping[str, str]
    value: float


def readings_of(data: str) -> list[Reading]:
    """Return the numbers in a heartbeat's data; none when it has no form that is known."""
    found = _of_xml(data) if data.lstrip().startswith("<") else _of_pairs(data)
    return [reading for _, reading in zip(range(_READINGS_MAX), found, strict=False)]


def _of_xml(data: str) -> Iterator[Reading]:
    try:
        root: Element = fromstring(data.strip())
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return
    yield from _of_element(root, {}, 0)


def _of_element(element: Element, around: Mapping[str, str], depth: int) -> Iterator[Reading]:
    tag = element.tag.replace("-", "_")
    own = {f"{tag}_{name}" if name in around else name: element.attrib[name] for name in _NAMES if element.get(name)}
    if tag == "extensionDetail":
        # <extension id="System"><extensionDetail id="LoadAverage" value="0.5"/></extension>
        labels = {"extension": around.get("id", ""), "id": element.get("id", "")}
        yield from _reading("cat_extension", labels, element.get("value", ""))
        return
    for name, text in element.attrib.items():
        if name not in _NAMES:
            yield from _reading(f"cat_{tag}_{name}", {**around, **own}, text)
    if depth < _ELEMENTS_DEPTH:
        for child in element:
            yield from _of_element(child, {**around, **own}, depth + 1)


def _of_pairs(data: str) -> Iterator[Reading]:
    for name, text in parse_qsl(data, max_num_fields=_READINGS_MAX) if data.count("&") < _READINGS_MAX else ():
        yield from _reading(f"cat_heartbeat_{name}", {}, text)


def _reading(metric: str, labels: Mapping[str, str], text: str) -> Iterator[Reading]:
    if _NUMBER.fullmatch(text) and math.isfinite(value := float(text)):
        yield Reading(metric, labels, value)
