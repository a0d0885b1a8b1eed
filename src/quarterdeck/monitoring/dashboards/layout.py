"""Where panels stand: none over another, none left hanging in the air."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class Place(TypedDict):
    id: int
    x: int
    y: int
    w: int
    h: int


def settled(places: Sequence[Place], first: int | None = None) -> list[Place]:
    """Return the places with every panel as high as it can stand; `first`, which was moved, keeps its row's place.

    Panels are taken from top to bottom and from left to right, the moved one before the others of its row.
    """
    ordered = sorted(places, key=lambda place: (place["y"], place["id"] != first, place["x"]))
    done: list[Place] = []
    for place in ordered:
        y = max((other["y"] + other["h"] for other in done if _share_columns(place, other)), default=0)
        done.append({**place, "y": y})
    return done


def _share_columns(one: Place, other: Place) -> bool:
    return one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]


def bottom(places: Sequence[Place]) -> int:
    return max((place["y"] + place["h"] for place in places), default=0)
