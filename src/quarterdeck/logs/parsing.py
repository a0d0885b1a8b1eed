"""Fields out of a message at read time, in the engine: JSON, logfmt, web servers' access lines, grok patterns.

A pattern of grok is text with `%{WORD:name}` in it, where WORD is one of a small library of named expressions; the
rest is a regular expression as RE2 reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.logs.compiling import checked_regex

# After the patterns that Logstash users know. See https://github.com/logstash-plugins/logstash-patterns-core
GROK = {
    "INT": r"[+-]?[0-9]+",
    "NUMBER": r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)",
    "POSINT": r"[1-9][0-9]*",
    "BASE16NUM": r"(?:0x)?[0-9A-Fa-f]+",
    "WORD": r"\b\w+\b",
    "NOTSPACE": r"\S+",
    "SPACE": r"\s*",
    "DATA": r".*?",
    "GREEDYDATA": r".*",
    "QUOTEDSTRING": r"\"(?:[^\"\\]|\\.)*\"",
    "QS": r"\"(?:[^\"\\]|\\.)*\"",
    "UUID": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "USER": r"[\w.@-]+",
    "USERNAME": r"[\w.@-]+",
    "EMAILADDRESS": r"[\w.+-]+@[\w.-]+",
    "IPV4": r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}",
    "IPV6": r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]+",
    "IP": r"(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)",
    "HOSTNAME": r"[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?",
    "IPORHOST": r"[0-9A-Za-z.:-]+",
    "HOSTPORT": r"[0-9A-Za-z.-]+:[0-9]+",
    "PATH": r"(?:/[^\s/]*)+",
    "URIPATH": r"/[^\s?#]*",
    "URIPATHPARAM": r"/[^\s#]*",
    "URI": r"[A-Za-z][A-Za-z0-9+.-]*://\S+",
    "MAC": r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}",
    "LOGLEVEL": r"(?i:trace|debug|info|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|alert|emerg(?:ency)?)",
    "TIMESTAMP_ISO8601": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]+(?:Z|[+-][0-9]{2}:?[0-9]{2})?",
    "HTTPDATE": r"[0-9]{2}/\w{3}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}",
    "SYSLOGTIMESTAMP": r"\w{3} +[0-9]{1,2} [0-9:]{8}",
    "TIME": r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?",
    "PROG": r"[\w./%-]+",
}
# nginx's and Apache's "combined" line, and "common", which ends before the referrer.
ACCESS = (
    r'^(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>[^ "]*)'
    r'(?: (?P<protocol>[^"]*))?" (?P<status>[0-9]{3}) (?P<bytes>[0-9]+|-)(?: "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)")?'
)
KINDS = ("json", "logfmt", "access", "grok")
_GROK = re.compile(r"%\{([A-Z0-9_]+)(?::([A-Za-z_][\w.]*))?\}")
_NAMED = re.compile(r"\(\?P<([A-Za-z_]\w*)>")
_UNNAMED = re.compile(r"(?<!\\)\((?!\?)")
_JSON = (
    "mapFromArrays(JSONExtractKeys(message), arrayMap(k -> if(JSONType(message, k) = 'String',"
    " JSONExtractString(message, k), JSONExtractRaw(message, k)), JSONExtractKeys(message)))"
)
NO_FIELDS = "CAST(map(), 'Map(String, String)')"


@dataclass(frozen=True, slots=True)
class Parser:
    """The SQL of a Map of fields, with its parameters (their names begin with `parse`)."""

    sql: str = NO_FIELDS
    parameters: dict[str, object] = field(default_factory=dict)


def parser_of(text: str) -> Parser:
    """Return what `json`, `logfmt`, `access` or `grok:PATTERN` means; "" parses nothing. Raises BadInput, BadQuery."""
    kind, _colon, pattern = text.partition(":")
    if not text:
        return Parser()
    if kind == "json":
        return Parser(_JSON)
    if kind == "logfmt":
        return Parser("extractKeyValuePairsWithEscaping(message, '=', ' \\t', '\"')")
    if kind == "access":
        return _by_groups(ACCESS)
    if kind == "grok" and pattern:
        return _by_groups(grok(pattern))
    raise BadInput(
        _('there is no parser "%(name)s"') % {"name": text[:60]},
        hint=_("one of %(names)s") % {"names": "json, logfmt, access, grok:%{IP:client} ..."},
        field="parse",
    )


def grok(pattern: str) -> str:
    """Return the regular expression of a grok pattern, with named groups. Raises BadInput for an unknown word."""

    def expanded(match: re.Match[str]) -> str:
        word, name = match[1], (match[2] or "").replace(".", "_")
        if word not in GROK:
            raise BadInput(
                _('grok knows no "%(name)s"') % {"name": word[:40]},
                hint=did_you_mean(word, GROK) or ", ".join(sorted(GROK)),
                field="parse",
            )
        return f"(?P<{name}>{GROK[word]})" if name else f"(?:{GROK[word]})"

    found = _GROK.sub(expanded, pattern)
    if not _NAMED.search(found):
        raise BadInput(
            _("the pattern names no field"), hint=_("name one as in %(example)s") % {"example": "%{IP:client}"},
            field="parse",
        )  # fmt: skip
    return found


def _by_groups(regex: str) -> Parser:
    """Take the named groups; groups without a name only group."""
    checked_regex(regex, "parse")
    bare = _UNNAMED.sub("(?:", regex)
    names = _NAMED.findall(bare)
    groups = "arrayResize(extractGroups(message, {parse_regex:String}), length({parse_names:Array(String)}), '')"
    made = f"mapFilter((k, v) -> v != '', mapFromArrays({{parse_names:Array(String)}}, {groups}))"
    return Parser(made, {"parse_regex": _NAMED.sub("(", bare), "parse_names": names})
