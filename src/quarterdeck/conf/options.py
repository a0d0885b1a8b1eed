"""Every setting of the product, in one table.

A value comes from, strongest first: the environment (`QD_<NAME>`), the TOML file (`quarterdeck.toml` in the data
directory, or `QD_CONFIG`), the default. The table feeds the reference page, `quarterdeck doctor` and the settings page.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import nearest


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. `read` turns the text of the environment into a value or raises ValueError with a sentence."""

    name: str
    default: Any
    help: str
    read: Callable[[str], Any] = str
    unit: str = ""
    secret: bool = False

    @property
    def env(self) -> str:
        return f"QD_{self.name.upper()}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A value in force and where it came from: "environment", "file" or "default"."""

    option: Option
    value: Any
    origin: str


def _boolean(text: str) -> bool:
    values = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    if text.strip().lower() not in values:
        raise ValueError("expected true or false")
    return values[text.strip().lower()]


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\s*-?[0-9]{1,18}\s*", text) or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return read


def _address(text: str) -> str:
    host, separator, port = text.strip().rpartition(":")
    if not separator or not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError("expected HOST:PORT, for example 127.0.0.1:8000")
    return text.strip()


def _address_or_off(text: str) -> str:
    return _address(text) if text.strip() not in ("", "off") else ""


def _url(*schemes: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text and (urlsplit(text).scheme not in schemes or not _has_host(text)):
            raise ValueError(f"expected a URL that starts with {' or '.join(s + '://' for s in schemes)} and a host")
        return text

    return read


def _has_host(url: str) -> bool:
    parts = urlsplit(url)
    # Reading the port checks it; PostgreSQL over its socket and SQLite need no host.
    _ = parts.port
    return bool(parts.hostname) or parts.scheme in ("sqlite", "postgresql", "postgres")


def _path(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError("expected a directory")
    return text


def _vault_keys(text: str) -> str:
    for part in filter(None, (part.strip() for part in text.split(","))):
        if not (re.fullmatch(r"[0-9A-Fa-f]{64}", part) or re.fullmatch(r"[0-9A-Za-z+/]{43}=", part)):
            raise ValueError("expected 32 bytes in hexadecimal or base64, several with commas")
    return text.strip()


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return text

    return read


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


OPTIONS: tuple[Option, ...] = (
    Option(
        "data", platformdirs.user_data_dir("quarterdeck", appauthor=False), "Directory that holds everything.", _path
    ),
    Option("listen", "127.0.0.1:8000", "Address of the web pages and the API.", _address),
    Option(
        "public_url",
        "",
        "Address under which people reach the pages; made from `listen` when empty.",
        _url("http", "https"),
    ),
    Option(
        "intake_http", "127.0.0.1:4318", "Address of the intake's HTTP listener, for all protocols over HTTP.", _address
    ),
    Option("intake_grpc", "127.0.0.1:4317", "Address for OTLP over gRPC; off when empty.", _address_or_off),
    Option(
        "intake_zabbix", "127.0.0.1:10051", "Address for Zabbix agents and senders; off when empty.", _address_or_off
    ),
    Option("zabbix_items", "", "YAML file with what Zabbix agents measure; the built-in items when empty."),
    Option("zabbix_logs", (), "Log files that active Zabbix agents follow.", _names),
    Option("zabbix_agents", "", "Inventory query of the hosts whose passive Zabbix agents are asked; none when empty."),
    Option(
        "zabbix_poll_seconds",
        30,
        "How often passive Zabbix agents are asked for what is due.",
        _whole(5, 3600),
        "seconds",
    ),
    Option("intake_syslog", "127.0.0.1:5514", "Address for syslog over UDP and TCP; off when empty.", _address_or_off),
    Option("intake_syslog_tls", "", "Address for syslog over TLS, usually port 6514; off when empty.", _address_or_off),
    Option("intake_statsd", "127.0.0.1:8125", "Address for StatsD over UDP; off when empty.", _address_or_off),
    Option(
        "intake_graphite", "127.0.0.1:2003", "Address for Graphite's lines over TCP; off when empty.", _address_or_off
    ),
    Option("intake_cat", "127.0.0.1:2280", "Address for CAT clients; off when empty.", _address_or_off),
    Option(
        "cat_sample_percent",
        100,
        "Share of their message trees that CAT clients send; all calls are counted.",
        _whole(1, 100),
        "percent",
    ),
    Option("intake_fluent", "127.0.0.1:24224", "Address for Fluent forward; off when empty.", _address_or_off),
    Option(
        "intake_fluent_shared_key",
        "",
        "Shared key that Fluent forward's clients have to prove; none is asked for when empty.",
        secret=True,
    ),
    Option("intake_gelf", "127.0.0.1:12201", "Address for GELF over UDP and TCP; off when empty.", _address_or_off),
    Option(
        "intake_falcon_rpc",
        "127.0.0.1:8433",
        "Address for Open-Falcon agents (JSON-RPC); off when empty.",
        _address_or_off,
    ),
    Option(
        "intake_falcon_heartbeat",
        "127.0.0.1:6030",
        "Address for Open-Falcon agents' heartbeat (JSON-RPC); off when empty.",
        _address_or_off,
    ),
    Option(
        "intake_falcon_http",
        "",
        "Port of its own for Open-Falcon's push, usually 1988; off when empty.",
        _address_or_off,
    ),
    Option("intake_zipkin", "", "Port of its own for Zipkin, usually 9411; off when empty.", _address_or_off),
    Option(
        "intake_elasticsearch",
        "",
        "Port of its own for Elasticsearch's _bulk, usually 9200; off when empty.",
        _address_or_off,
    ),
    Option("intake_loki", "", "Port of its own for Loki's push, usually 3100; off when empty.", _address_or_off),
    Option(
        "intake_pushgateway", "", "Port of its own for the Pushgateway, usually 9091; off when empty.", _address_or_off
    ),
    Option("intake_influx", "", "Port of its own for InfluxDB's lines, usually 8086; off when empty.", _address_or_off),
    Option("intake_cat_http", "", "Port of its own for CAT's router, usually 8080; off when empty.", _address_or_off),
    Option("intake_tls_certificate", "", "PEM file with the certificate of the intake's TLS ports."),
    Option("intake_tls_key", "", "PEM file with the private key of the intake's TLS ports."),
    Option("intake_loopback_open", True, "Whether senders on this machine need no intake key.", _boolean),
    Option(
        "intake_body_max_mb", 32, "Largest body of one request to the intake, as it is sent.", _whole(1, 1024), "MB"
    ),
    Option(
        "intake_content_max_mb", 128, "Largest body of one request to the intake, decompressed.", _whole(1, 1024), "MB"
    ),
    Option(
        "intake_gather_ms",
        2250,
        "How long the intake gathers what comes in before the telemetry engine stores it, which costs the engine less;"
        " while somebody follows lines live it waits for a tenth of a second only.",
        _whole(50, 30_000),
        "ms",
    ),
    Option(
        "spool_max_mb",
        4096,
        "How much may wait for the telemetry engine before senders are held back.",
        _whole(64, 1 << 20),
        "MB",
    ),
    Option(
        "database_url",
        "",
        "PostgreSQL for the records, postgresql://user:password@host/name; SQLite when empty.",
        _url("postgresql", "postgres", "sqlite"),
        secret=True,
    ),
    Option(
        "clickhouse_url",
        "",
        "ClickHouse for telemetry, http://user:password@host:8123/database; embedded engine when empty.",
        _url("http", "https"),
        secret=True,
    ),
    Option(
        "broker_url",
        "",
        "Celery broker, amqp:// or redis://; embedded broker when empty.",
        _url("amqp", "amqps", "pyamqp", "redis", "rediss"),
        secret=True,
    ),
    Option(
        "broker_visibility_seconds",
        3600,
        "Redis only: how long a task that a killed worker held takes to come back.",
        _whole(1, 86400),
        "seconds",
    ),
    Option(
        "worker_dead_seconds",
        20,
        "A worker that gave no sign of life for so long is taken for dead; what it had not begun goes on elsewhere.",
        _whole(5, 3600),
        "seconds",
    ),
    Option(
        "approval_hours",
        24,
        "How long a run waits for the second person that a guard rule asks for; it is refused then.",
        _whole(1, 24 * 90),
        "hours",
    ),
    Option("worker_concurrency", 2, "Tasks that one worker runs at the same time.", _whole(1, 1024), "processes"),
    Option(
        "engine_memory_mb",
        1024,
        "Memory that the embedded engine may use for queries and merges.",
        _whole(128, 1 << 20),
        "MB",
    ),
    Option("metrics_retention_days", 15, "How long raw samples are kept.", _whole(1, 3650), "days"),
    Option("metrics_5m_retention_days", 400, "How long 5-minute roll-ups are kept.", _whole(1, 36500), "days"),
    Option("metrics_1h_retention_days", 1825, "How long 1-hour roll-ups are kept.", _whole(1, 36500), "days"),
    Option("logs_retention_days", 30, "How long log lines are kept.", _whole(1, 3650), "days"),
    Option("traces_retention_days", 7, "How long spans are kept.", _whole(1, 3650), "days"),
    Option(
        "traces_keep_percent",
        100,
        "How many of the ordinary traces are kept once their day is over; errors, slow and rare ones all are.",
        _whole(1, 100),
        "percent",
    ),
    Option(
        "traces_sample_after_hours",
        24,
        "How long after the end of a day its traces are thinned out.",
        _whole(1, 8760),
        "hours",
    ),
    Option(
        "red_retention_days", 90, "How long rates, errors and durations by minute are kept.", _whole(1, 3650), "days"
    ),
    Option("errors_retention_days", 90, "How long events of errors are kept.", _whole(1, 3650), "days"),
    Option("runs_retention_days", 400, "How long the output of runs is kept.", _whole(1, 36500), "days"),
    Option(
        "run_files_max_mb", 4096, "How much the files of runs, pushed and pulled, may take.", _whole(1, 1 << 20), "MB"
    ),
    Option(
        "run_files_retention_days",
        30,
        "How long a pushed or pulled file is kept after its last use.",
        _whole(1, 3650),
        "days",
    ),
    Option("terminals_retention_days", 400, "How long the recordings of terminals are kept.", _whole(1, 36500), "days"),
    Option("artifacts_upload_max_mb", 128, "Largest upload of source maps, as it is sent.", _whole(1, 4096), "MB"),
    Option("artifacts_max_mb", 2048, "How much all source maps may take, compressed.", _whole(1, 1 << 20), "MB"),
    Option(
        "artifacts_retention_days",
        90,
        "How long source maps are kept after the last event that needed them.",
        _whole(1, 3650),
        "days",
    ),
    Option(
        "n_plus_one_calls",
        10,
        "Calls of one statement, one after another below one span, from which on they are an issue; never when 0.",
        _whole(0, 100_000),
        "calls",
    ),
    Option(
        "n_plus_one_ms",
        100,
        "How long such calls have to take together.",
        _whole(0, 3_600_000),
        "milliseconds",
    ),
    Option(
        "slow_query_ms",
        1000,
        "How long a call of a database takes that is an issue; none is when 0.",
        _whole(0, 3_600_000),
        "milliseconds",
    ),
    Option(
        "disk_guard_percent",
        90,
        "Disk use at which the oldest telemetry partitions are dropped.",
        _whole(10, 100),
        "percent",
    ),
    Option(
        "collect_interval_seconds", 10, "How often this machine's metrics are collected.", _whole(1, 3600), "seconds"
    ),
    Option(
        "facts_interval_seconds", 300, "How often this machine's facts are collected.", _whole(10, 86400), "seconds"
    ),
    Option("scrape_config", "", "A prometheus.yml whose scrape_configs are followed; none when empty."),
    Option(
        "scrape_interval_seconds",
        15,
        "How often items with the label prometheus.io/scrape are scraped; never when 0.",
        _whole(0, 86400),
        "seconds",
    ),
    Option("docker_socket", "/var/run/docker.sock", "Socket of the Docker Engine that is taken into the inventory."),
    Option("language", "en", "Language of pages before a person chooses one.", _one_of("en", "zh-hans")),
    Option(
        "allowed_hosts",
        ("localhost", "127.0.0.1", "[::1]"),
        "Host names under which the pages may be asked for.",
        _names,
    ),
    Option(
        "trusted_proxies",
        (),
        "Addresses or networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        _names,
    ),
    Option("session_hours", 12, "How long a sign-in lasts without use.", _whole(1, 8760), "hours"),
    Option(
        "api_rate_per_minute", 600, "Requests that one token may make in a minute.", _whole(1, 10_000_000), "requests"
    ),
    Option("request_max_mb", 16, "Largest body of one API request, files excepted.", _whole(1, 1024), "MB"),
    Option("upload_max_mb", 512, "Largest file that may be uploaded.", _whole(1, 102_400), "MB"),
    Option(
        "audit_retention_days",
        730,
        "Age at which audit records move to signed archive segments.",
        _whole(30, 36500),
        "days",
    ),
    Option(
        "audit_syslog_url",
        "",
        "Where audit records are forwarded (RFC 5424), udp://, tcp:// or tls://host:port.",
        _url("udp", "tcp", "tls"),
    ),
    Option(
        "vault_key",
        "",
        "Key of the credentials, 32 bytes in hexadecimal or base64; NEW,OLD while it is rotated. A file when empty.",
        _vault_keys,
        secret=True,
    ),
    Option(
        "vault_key_file",
        "",
        "File with the key of the credentials, made when missing; secrets/vault in the data directory when empty.",
    ),
    Option(
        "vault_transit_url",
        "",
        "HashiCorp Vault or OpenBao whose transit engine keeps the key of the credentials; needs quarterdeck[vault].",
        _url("https", "http"),
    ),
    Option("vault_transit_mount", "transit", "Where the transit engine is mounted."),
    Option("vault_transit_key", "quarterdeck", "Name of the key in the transit engine."),
    Option("vault_transit_token", "", "Token for Vault.", secret=True),
    Option("vault_transit_token_file", "", "File with the token for Vault, read at each use: Vault's agent renews it."),
    Option("terminal_asks_reason", False, "Whether a terminal is opened with a reason only.", _boolean),
    Option(
        "terminal_idle_seconds",
        900,
        "How long nobody types in a terminal until it is closed; never when 0.",
        _whole(0, 86400),
        "seconds",
    ),
    Option("terminal_max_hours", 12, "How long a terminal stays open.", _whole(1, 168), "hours"),
    Option("terminals_per_person", 8, "Terminals that one person has open at a time.", _whole(1, 1000), "terminals"),
    Option("terminals_max", 100, "Terminals that are open at a time.", _whole(1, 10_000), "terminals"),
    Option(
        "terminal_recording_max_mb",
        64,
        "How much is recorded of one terminal until it is closed: nothing happens on it that is not recorded.",
        _whole(1, 1024),
        "MB",
    ),
    Option("oidc_issuer", "", "OpenID Connect issuer for sign-in; off when empty.", _url("https", "http")),
    Option("oidc_client_id", "", "Client id at the OpenID Connect issuer."),
    Option("oidc_client_secret", "", "Client secret at the OpenID Connect issuer.", secret=True),
    Option(
        "oidc_creates_accounts",
        True,
        "Whether sign-in by the OpenID Connect issuer makes missing accounts, without any role.",
        _boolean,
    ),
    Option(
        "oidc_groups_claim",
        "",
        "Claim that lists a person's groups; those that exist here are joined at sign-in, others left. Off when empty.",
    ),
    Option("log_level", "info", "How much the processes log.", _one_of("debug", "info", "warning", "error")),
)
_BY_NAME = {option.name: option for option in OPTIONS}


def _read(option: Option, raw: object, origin: str) -> Setting:
    if isinstance(raw, dict):
        raise BadInput(f"setting {option.name} is a table", hint="write one value, not [sections]", field=option.name)
    text = ",".join(map(str, raw)) if isinstance(raw, list) else str(raw)
    try:
        return Setting(option, option.read(text), origin)
    except ValueError as error:
        shown = "(secret)" if option.secret else f'"{text}"'
        place = option.env if origin == "environment" else f"{option.name} in the settings file"
        raise BadInput(
            f"setting {option.name} is {shown}: {error}",
            hint=f"{option.help} Correct {place}.",
            field=option.name,
        ) from error


def _file_values(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInput(
            f"{path} cannot be read: {error}", hint="correct the TOML, see docs/reference/settings.md"
        ) from error
    for name in values:
        if name not in _BY_NAME:
            hint = _near(name, _BY_NAME) or "see docs/reference/settings.md"
            raise BadInput(f'{path}: unknown setting "{name}"', hint=hint, field=name)
    return values


# Read by commands and tests, not settings of an instance.
_OTHER_NAMES = frozenset({"QD_CONFIG", "QD_URL", "QD_TOKEN", "QD_SUPERVISOR"})


def unknown_names(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return `{"QD_LISTN": 'did you mean "QD_LISTEN"?'}` of the environment's QD_ names that nothing reads."""
    environ = os.environ if environ is None else environ
    known = {option.env for option in OPTIONS} | _OTHER_NAMES
    return {name: _near(name, known) for name in sorted(environ) if name.startswith("QD_") and name not in known}


def _near(name: str, known: Iterable[str]) -> str:
    """`did you mean "QD_LISTEN"?`, untranslated: Django's own settings are not there yet."""
    near = nearest(name, known)
    return f'did you mean "{near}"?' if near else ""


def shown() -> list[dict[str, Any]]:
    """Return every setting for a person: `[{"name", "value", "unit", "origin", "env", "default", "help", "secret"}]`.

    Secrets are masked: "(set)" or "".
    """
    return [
        {
            "name": setting.option.name,
            "value": ("(set)" if setting.value else "") if setting.option.secret else setting.value,
            "unit": setting.option.unit,
            "origin": setting.origin,
            "env": setting.option.env,
            "default": setting.option.default,
            "help": setting.option.help,
            "secret": setting.option.secret,
        }
        for setting in load().values()
    ]


def _file(environ: Mapping[str, str], data: Path) -> Path:
    named = environ.get("QD_CONFIG")
    if named and not Path(named).is_file():
        raise BadInput(f"there is no settings file {named}", hint="QD_CONFIG names it; unset it or make the file")
    return Path(named) if named else data / "quarterdeck.toml"


def load(environ: Mapping[str, str] | None = None) -> dict[str, Setting]:
    """Return every setting in force by name. A wrong value raises BadInput with a sentence that names it."""
    environ = os.environ if environ is None else environ
    data = Path(environ.get("QD_DATA") or str(_BY_NAME["data"].default))
    values = _file_values(_file(environ, data))
    settings: dict[str, Setting] = {}
    for option in OPTIONS:
        if option.env in environ:
            settings[option.name] = _read(option, environ[option.env], "environment")
        elif option.name in values:
            settings[option.name] = _read(option, values[option.name], "file")
        else:
            settings[option.name] = Setting(option, option.default, "default")
    return settings
