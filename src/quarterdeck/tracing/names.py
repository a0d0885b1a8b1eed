"""What there is to choose from: services, their operations and neighbours, keys and values of attributes."""

from __future__ import annotations

from datetime import datetime, timedelta

from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.telemetry import client
from quarterdeck.telemetry.turns import fairly
from quarterdeck.tracing.limits import options
from quarterdeck.tracing.scoping import scope_of
from quarterdeck.tracing.search import nanoseconds

NAMES_MAX = 10_000
_DAYS = 7
# Keys and values are taken from so many of the newest spans.
_SPANS_LOOKED_AT = 200_000


@fairly
def service_names(actor: Actor) -> list[str]:
    """Return the services that sent a call in the last week. Raises Denied, Unavailable."""
    where = scope_of(actor).service().text
    rows = client.query(_SERVICES.format(where=where), {"since": _since()}, options=options())
    return [str(name) for (name,) in rows]


@fairly
def operations(actor: Actor, service: str) -> list[tuple[str, str]]:
    """Return `[(name, kind)]` of the last week. Raises Denied, Unavailable."""
    where = scope_of(actor).service().text
    rows = client.query(_OPERATIONS.format(where=where), {"since": _since(), "service": service}, options=options())
    return [(str(name), str(kind)) for name, kind in rows]


@fairly
def remote_services(actor: Actor, service: str) -> list[str]:
    """Return whom a service called in the last week. Raises Denied, Unavailable."""
    where = scope_of(actor).edge().text
    rows = client.query(_REMOTE.format(where=where), {"since": _since(), "service": service}, options=options())
    return [str(name) for (name,) in rows]


@fairly
def attribute_keys(actor: Actor) -> list[str]:
    """Return the keys of attributes of the newest spans. Raises Denied, Unavailable."""
    asked = {"low": nanoseconds(now() - timedelta(hours=1))}
    rows = client.query(_KEYS.format(where=scope_of(actor).rows.text), asked, options=options())
    return [str(name) for (name,) in rows]


@fairly
def attribute_values(actor: Actor, key: str) -> list[str]:
    """Return the values of an attribute in the newest spans. Raises Denied, Unavailable."""
    asked = {"low": nanoseconds(now() - timedelta(hours=1)), "key": key}
    rows = client.query(_VALUES.format(where=scope_of(actor).rows.text), asked, options=options())
    return [str(name) for (name,) in rows]


def _since() -> int:
    at: datetime = now() - timedelta(days=_DAYS)
    return int(at.timestamp())


_RECENT = "ts >= toDateTime({{since:Int64}}, 'UTC')"
_SERVICES = f"""
    SELECT DISTINCT service FROM red_1m WHERE {_RECENT} AND service != '' AND {{where}}
    ORDER BY service LIMIT {NAMES_MAX}"""
_OPERATIONS = f"""
    SELECT DISTINCT name, kind FROM red_1m WHERE service = {{{{service:String}}}} AND {_RECENT} AND {{where}}
    ORDER BY name, kind LIMIT {NAMES_MAX}"""
_REMOTE = f"""
    SELECT DISTINCT callee FROM edges_1m WHERE caller = {{{{service:String}}}} AND {_RECENT} AND {{where}}
    ORDER BY callee LIMIT {NAMES_MAX}"""
_NEWEST = f"""
    SELECT attributes FROM spans WHERE ts >= fromUnixTimestamp64Nano({{{{low:Int64}}}}) AND {{where}}
    LIMIT {_SPANS_LOOKED_AT}"""
_KEYS = f"SELECT DISTINCT arrayJoin(mapKeys(attributes)) AS key FROM ({_NEWEST}) ORDER BY key LIMIT 1000"
_VALUES = f"""
    SELECT DISTINCT attributes[{{{{key:String}}}}] AS value FROM ({_NEWEST})
    WHERE mapContains(attributes, {{{{key:String}}}}) ORDER BY value LIMIT 1000"""
