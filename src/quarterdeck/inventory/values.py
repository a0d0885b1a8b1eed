"""Values of attributes: what each kind accepts and how it stands in JSON. Checkers raise ValueError with a sentence."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
import re2
from django.utils.translation import gettext as _

from quarterdeck.inventory.models import Kind
from quarterdeck.inventory.writing.secret import is_digest

if TYPE_CHECKING:
    from quarterdeck.inventory.catalogue import AttributeSpec

Check = Callable[[Any], Any]

MAX_TEXT = 4_000
MAX_LONG_TEXT = 200_000
MAX_JSON_BYTES = 200_000
MAX_LIST = 10_000
# JavaScript and spreadsheets read whole numbers exactly up to here.
MAX_WHOLE = 2**53 - 1

_TRUE = frozenset({"true", "yes", "on", "1", "是"})
_FALSE = frozenset({"false", "no", "off", "0", "否"})
_MAC = re.compile(r"[0-9a-f]{12}|[0-9a-f]{16}")
_EMAIL = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,190}")
_URL_SCHEMES = frozenset({"http", "https", "ssh", "git", "ftp", "sftp", "tcp", "udp", "unix", "ldap", "ldaps", "rtsp"})


def shown(value: object) -> str:
    """Return `value` for an error message, cut to a length that fits one."""
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(limit: int) -> Check:
    def check(value: Any) -> str:
        if isinstance(value, str):
            pass
        elif isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, int | float):
            value = str(value)
        elif isinstance(value, datetime | date):
            value = value.isoformat()
        else:
            raise ValueError(_("expected text"))
        if len(value) > limit:
            raise ValueError(
                _("%(found)d characters, at most %(limit)d are allowed") % {"found": len(value), "limit": limit}
            )
        if "\x00" in value:
            raise ValueError(_("the text contains a NUL character"))
        return str(value)

    return check


def _integer(value: Any) -> int:
    try:
        number = int(value.strip()) if isinstance(value, str) else int(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(_('expected a whole number, found "%(found)s"') % {"found": shown(value)}) from None
    if isinstance(value, bool) or (isinstance(value, float) and value != number):
        raise ValueError(_('expected a whole number, found "%(found)s"') % {"found": shown(value)})
    if abs(number) > MAX_WHOLE:
        raise ValueError(_("the number is too large"))
    return number


def _number(value: Any) -> float | int:
    if isinstance(value, bool):
        raise ValueError(_('expected a number, found "%(found)s"') % {"found": value})
    if isinstance(value, int) and abs(value) <= MAX_WHOLE:
        return value
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(_('expected a number, found "%(found)s"') % {"found": shown(value)}) from None
    if not math.isfinite(number):
        raise ValueError(_("the number must be finite"))
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(_('expected true or false, found "%(found)s"') % {"found": shown(value)})


def moment(value: Any) -> datetime:
    """Return `value` as an aware time in UTC; text is ISO 8601, without a zone it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(
                _('expected a time such as 2026-05-01T12:30:00Z, found "%(found)s"') % {"found": shown(value)}
            ) from None
    if not isinstance(value, datetime):
        raise ValueError(_('expected a time such as 2026-05-01T12:30:00Z, found "%(found)s"') % {"found": shown(value)})
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _datetime(value: Any) -> str:
    return moment(value).isoformat().replace("+00:00", "Z")


def _date(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.date()
    try:
        return (value if isinstance(value, date) else date.fromisoformat(str(value).strip()[:10])).isoformat()
    except ValueError:
        raise ValueError(_('expected a date such as 2026-05-01, found "%(found)s"') % {"found": shown(value)}) from None


@lru_cache(maxsize=4096)
def _shortest(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def ip_address(value: Any) -> str:
    """Return the address in its shortest form; an IPv4 address mapped into IPv6 as IPv4."""
    try:
        return _shortest(str(value).strip())
    except ValueError:
        raise ValueError(_('expected an IP address, found "%(found)s"') % {"found": shown(value)}) from None


def _cidr(value: Any) -> str:
    try:
        return str(ipaddress.ip_network(str(value).strip(), strict=False))
    except ValueError:
        raise ValueError(
            _('expected a network such as 10.0.0.0/8, found "%(found)s"') % {"found": shown(value)}
        ) from None


def _mac(value: Any) -> str:
    digits = re.sub(r"[:.\-\s]", "", str(value)).lower()
    if not _MAC.fullmatch(digits):
        raise ValueError(_('expected a MAC address, found "%(found)s"') % {"found": shown(value)})
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


def _url(value: Any) -> str:
    text = str(value).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    # A page shows a URL as a link: a scheme that runs code in the browser must not get in.
    if parts.scheme.lower() not in _URL_SCHEMES or len(text) > MAX_TEXT:
        raise ValueError(_('expected a URL such as https://example.com/, found "%(found)s"') % {"found": shown(value)})
    return text


def _email(value: Any) -> str:
    text = str(value).strip()
    if not _EMAIL.fullmatch(text):
        raise ValueError(_('expected an e-mail address, found "%(found)s"') % {"found": shown(value)})
    return text


def _reference(value: Any) -> str | int:
    """A whole number is an item's id, text is a name; the write path looks both up and keeps the id."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ValueError(_("expected the name or the id of an item"))
    return value.strip() if isinstance(value, str) else value


def _json(value: Any) -> Any:
    try:
        size = len(orjson.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(_("the value is not JSON: %(error)s") % {"error": error}) from None
    if size > MAX_JSON_BYTES:
        raise ValueError(
            _("%(found)d bytes of JSON, at most %(limit)d are allowed") % {"found": size, "limit": MAX_JSON_BYTES}
        )
    return value


_PLAIN: Mapping[str, Check] = {
    Kind.TEXT: _text(MAX_TEXT),
    Kind.LONG_TEXT: _text(MAX_LONG_TEXT),
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.DATETIME: _datetime,
    Kind.DATE: _date,
    Kind.IP: ip_address,
    Kind.CIDR: _cidr,
    Kind.MAC: _mac,
    Kind.URL: _url,
    Kind.EMAIL: _email,
    Kind.CHOICE: _text(MAX_TEXT),
    Kind.REFERENCE: _reference,
    Kind.SECRET: _text(MAX_TEXT),
    Kind.JSON: _json,
}


@cache
def compiled(pattern: str) -> Any:
    """Return the pattern compiled by RE2, whose time is linear in the text. Raises ValueError with a sentence."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        if isinstance(detail, bytes):
            detail = detail.decode(errors="replace")
        raise ValueError(_("the pattern is not valid: %(error)s") % {"error": detail}) from error


def _bounds(check: Check, low: float | None, high: float | None) -> Check:
    def bounded(value: Any) -> Any:
        number = check(value)
        if low is not None and number < low:
            raise ValueError(_("%(found)s is less than %(limit)g") % {"found": number, "limit": low})
        if high is not None and number > high:
            raise ValueError(_("%(found)s is more than %(limit)g") % {"found": number, "limit": high})
        return number

    return bounded


def _matching(check: Check, pattern: str, *, is_secret: bool) -> Check:
    """A secret that does not match is not shown: what is refused goes to logs, import results and the audit log."""
    expression = compiled(pattern)

    def matching(value: Any) -> Any:
        text = check(value)
        if is_secret and is_digest(text):
            return text
        if expression.fullmatch(text) is None and is_secret:
            raise ValueError(_("the secret does not match %(pattern)s") % {"pattern": pattern})
        if expression.fullmatch(text) is None:
            raise ValueError(_('"%(found)s" does not match %(pattern)s') % {"found": shown(text), "pattern": pattern})
        return text

    return matching


def _one_of(check: Check, choices: tuple[str, ...]) -> Check:
    allowed = frozenset(choices)

    def one_of(value: Any) -> Any:
        text = check(value)
        if text not in allowed:
            raise ValueError(
                _('"%(found)s" is not one of %(allowed)s') % {"found": shown(text), "allowed": ", ".join(choices[:20])}
            )
        return text

    return one_of


def _list_of(check: Check) -> Check:
    def list_of(value: Any) -> list[Any]:
        if isinstance(value, str):
            value = [part.strip() for part in re.split(r"[\n,;]", value) if part.strip()]
        elif not isinstance(value, list | tuple):
            value = [value]
        if len(value) > MAX_LIST:
            raise ValueError(
                _("%(found)d values, at most %(limit)d are allowed") % {"found": len(value), "limit": MAX_LIST}
            )
        return [check(part) for part in value]

    return list_of


def checker(spec: AttributeSpec) -> Check:
    """Return the function that turns a value into its JSON form, or raises ValueError with a sentence."""
    check = _PLAIN[spec.kind]
    if spec.kind in (Kind.INTEGER, Kind.NUMBER) and (spec.minimum is not None or spec.maximum is not None):
        check = _bounds(check, spec.minimum, spec.maximum)
    if spec.regex:
        check = _matching(check, spec.regex, is_secret=spec.kind == Kind.SECRET)
    if spec.choices:
        check = _one_of(check, spec.choices)
    return _list_of(check) if spec.is_list else check
