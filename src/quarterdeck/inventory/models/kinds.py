"""The closed lists: states, stages of life, kinds of values."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    """What the item does now. Sources map their own words to these and keep the original as `raw_state`."""

    RUNNING = "running", _("running")
    STARTING = "starting", _("starting")
    STOPPING = "stopping", _("stopping")
    STOPPED = "stopped", _("stopped")
    PENDING = "pending", _("pending")
    SUSPENDED = "suspended", _("suspended")
    TERMINATED = "terminated", _("terminated")
    ERROR = "error", _("error")
    UNKNOWN = "unknown", _("unknown")


class Lifecycle(models.TextChoices):
    """Whether the item still exists: active -> missing -> absent -> retired; a person may put it in the trash."""

    ACTIVE = "active", _("active")
    MISSING = "missing", _("missing")
    ABSENT = "absent", _("absent")
    RETIRED = "retired", _("retired")
    TRASHED = "trashed", _("in the trash")


class Kind(models.TextChoices):
    """Kinds of attribute values, as they stand in JSON."""

    TEXT = "text", _("text")
    LONG_TEXT = "long_text", _("long text")
    INTEGER = "integer", _("whole number")
    NUMBER = "number", _("number")
    BOOLEAN = "boolean", _("yes or no")
    DATETIME = "datetime", _("date and time")
    DATE = "date", _("date")
    IP = "ip", _("IP address")
    CIDR = "cidr", _("network (CIDR)")
    MAC = "mac", _("MAC address")
    URL = "url", _("URL")
    EMAIL = "email", _("e-mail address")
    CHOICE = "choice", _("choice")
    REFERENCE = "reference", _("reference to an item")
    SECRET = "secret", _("secret")
    JSON = "json", _("JSON")
