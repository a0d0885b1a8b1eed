"""What a schedule is made of: what runs, with which answers, where, and when."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from django.utils.translation import gettext_lazy as _
from msgspec import Meta

from quarterdeck.jobs.templates.definitions import Line, Shape, Text, Ways, convert

MISSED = {"skip": _("leave it out"), "run": _("run once, late")}
OVERLAP = {"skip": _("leave this one out"), "queue": _("begin when it has ended"), "allow": _("begin beside it")}


class Plan(Shape):
    """Either `template` with `values`, or `runner` with `work` and `options`. One of `cron`, `every`, `at` says when.

    `missed` is what to do about a time at which no worker was there, `overlap` what while the run before still goes.
    """

    template: Annotated[str, Meta(max_length=60)] = ""
    values: dict[str, Any] = {}
    runner: Line = "ssh"
    work: dict[str, Any] = {}
    options: Ways = Ways()
    query: Text = ""
    reason: Annotated[str, Meta(max_length=500)] = ""
    cron: Line = ""
    every: Line = ""
    at: Line = ""
    time_zone: Line = "UTC"
    not_on: Annotated[list[Line], Meta(max_length=200)] = []
    missed: Literal["skip", "run"] = "skip"
    overlap: Literal["skip", "queue", "allow"] = "skip"


def read(values: Any) -> Plan:
    """Return the plan that `values` (of JSON or YAML) are. Raises BadInput that names the place."""
    return convert(values, Plan)


def plain(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON has it, without what is usual."""
    found: dict[str, Any] = msgspec.to_builtins(plan)
    return {name: value for name, value in found.items() if value or name != "options"}
