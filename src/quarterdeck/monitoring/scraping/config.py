"""The scrape section of a prometheus.yml, as it is. Other sections are for others and left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from quarterdeck.core import yamls
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.core.names import did_you_mean
from quarterdeck.monitoring.scraping.job import BODY_MAX_BYTES, Access, Group, Job
from quarterdeck.monitoring.scraping.relabel import rules_of

_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\Z"
)  # fmt: skip
_SECONDS = (31_536_000, 604_800, 86_400, 3600, 60, 1, 0.001)
_SIZE = re.compile(r"(\d+)(B|KB|MB|GB|KiB|MiB|GiB)?\Z")
_SIZES = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
# The words of YAML 1.1. See resolveTable in https://github.com/go-yaml/yaml/blob/v2/resolve.go
_SWITCHES = {"y": True, "yes": True, "on": True, "n": False, "no": False, "off": False}
_DEFAULT_INTERVAL_SECONDS, _DEFAULT_TIMEOUT_SECONDS = 60.0, 10.0
# What we follow, and what changes nothing for text formats.
_KEYS = frozenset({
    "job_name", "scrape_interval", "scrape_timeout", "metrics_path", "scheme", "params", "honor_labels",
    "honor_timestamps", "sample_limit", "label_limit", "label_name_length_limit", "label_value_length_limit",
    "target_limit", "body_size_limit", "basic_auth", "authorization", "bearer_token", "bearer_token_file", "tls_config",
    "proxy_url", "follow_redirects", "enable_http2", "static_configs", "file_sd_configs", "relabel_configs",
    "metric_relabel_configs", "scrape_classic_histograms", "enable_compression", "native_histogram_bucket_limit",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Config:
    """`problems` says, in sentences, what of the file is not followed; everything else is."""

    jobs: tuple[Job, ...]
    problems: tuple[str, ...]


def read(path: Path) -> Config:
    """Read the file. Raises BadInput when nothing of it can be used; a bad job is a problem, and left out."""
    try:
        found = yamls.load(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError, BadInput) as error:
        raise BadInput(f"{path} cannot be read: {error}", hint="a prometheus.yml", field="scrape_config") from error
    if not isinstance(found, Mapping):
        raise BadInput(f"{path} is no prometheus.yml", hint="it has scrape_configs", field="scrape_config")
    problems: list[str] = []
    jobs: dict[str, Job] = {}
    defaults = found.get("global") or {}
    for number, entry in enumerate(found.get("scrape_configs") or ()):
        try:
            job = _Entry(entry, path.parent, defaults).job()
            if job.name in jobs:
                raise BadInput(f'job_name "{job.name}" is there twice', hint="name each job once")
            jobs[job.name] = job
        except OpsError as error:
            problems.append(f"scrape_configs[{number}]: {error.message}")
    return Config(tuple(jobs.values()), tuple(problems))


class _Entry:
    """One entry of `scrape_configs`."""

    def __init__(self, found: object, directory: Path, defaults: Mapping[str, Any]) -> None:
        if not isinstance(found, Mapping):
            raise BadInput("the job is no table", hint="- job_name: node")
        self._found = found
        self._directory = directory
        self._defaults = defaults

    def job(self) -> Job:
        """Raises BadInput."""
        self._check_keys()
        interval = self._duration("scrape_interval", _DEFAULT_INTERVAL_SECONDS)
        timeout = self._duration("scrape_timeout", min(_DEFAULT_TIMEOUT_SECONDS, interval))
        if timeout > interval:
            raise BadInput("scrape_timeout is longer than scrape_interval", hint="make it shorter")
        return Job(
            name=self._text("job_name") or self._missing("job_name"),
            interval_seconds=interval,
            timeout_seconds=timeout,
            scheme=self._scheme(),
            metrics_path=self._text("metrics_path", "/metrics"),
            params=self._params(),
            honor_labels=self._boolean("honor_labels", default=False),
            honor_timestamps=self._boolean("honor_timestamps", default=True),
            sample_limit=self._whole("sample_limit"),
            label_limit=self._whole("label_limit"),
            label_name_limit=self._whole("label_name_length_limit"),
            label_value_limit=self._whole("label_value_length_limit"),
            target_limit=self._whole("target_limit"),
            body_max_bytes=self._size() or BODY_MAX_BYTES,
            access=self._access(),
            groups=tuple(groups_of(self._found.get("static_configs") or (), "static_configs")),
            files=self._files(),
            relabel=rules_of(self._found.get("relabel_configs"), "relabel_configs"),
            metric_relabel=rules_of(self._found.get("metric_relabel_configs"), "metric_relabel_configs"),
        )

    def _check_keys(self) -> None:
        for key in self._found:
            if str(key).endswith("_sd_configs") and key != "file_sd_configs":
                raise BadInput(
                    f"{key} is not followed",
                    hint="static_configs, file_sd_configs, or labels on items of the inventory",
                )
            if key not in _KEYS:
                raise BadInput(f'unknown key "{key}"', hint=did_you_mean(str(key), _KEYS))

    def _missing(self, name: str) -> str:
        raise BadInput(f"{name} is missing", hint="name the job")

    def _text(self, name: str, default: str = "") -> str:
        return str(self._found.get(name) or default)

    def _typed(self, name: str, default: Any, kind: type, said: str) -> Any:
        value: Any = self._found.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise BadInput(f"{name} is {value!r}", hint=f"expected {said}", field=name)
        return value

    def _boolean(self, name: str, *, default: bool) -> bool:
        return boolean(self._found.get(name), name, default=default)

    def _whole(self, name: str) -> int:
        number = self._typed(name, 0, int, "a whole number")
        if number is True or number < 0:
            raise BadInput(f"{name} is {number!r}", hint="expected a whole number", field=name)
        return int(number)

    def _scheme(self) -> str:
        scheme = self._text("scheme", "http").lower()
        if scheme not in ("http", "https"):
            raise BadInput(f'scheme is "{scheme}"', hint="http or https", field="scheme")
        return scheme

    def _duration(self, name: str, default: float) -> float:
        text = self._found.get(name, self._defaults.get(name))
        return default if text is None else seconds_of(str(text), name)

    def _size(self) -> int:
        text = str(self._found.get("body_size_limit") or 0)
        match = _SIZE.match(text)
        if match is None:
            raise BadInput(f'body_size_limit is "{text}"', hint="for example 10MB", field="body_size_limit")
        return int(match[1]) * _SIZES[(match[2] or "").replace("iB", "B")]

    def _params(self) -> dict[str, tuple[str, ...]]:
        found = self._typed("params", {}, Mapping, "a table of lists")
        return {
            str(name): tuple(map(str, values if isinstance(values, list) else [values]))
            for name, values in found.items()
        }

    def _files(self) -> tuple[str, ...]:
        found: list[str] = []
        for one in self._found.get("file_sd_configs") or ():
            files = one.get("files") if isinstance(one, Mapping) else None
            if not isinstance(files, list):
                raise BadInput("file_sd_configs needs files", hint="- files: [targets/*.yml]", field="file_sd_configs")
            found += [str(self._directory / str(file)) for file in files]
        return tuple(found)

    def _access(self) -> Access:
        basic, tls = self._table("basic_auth"), self._table("tls_config")
        bearer = self._table("authorization")
        proxy = self._text("proxy_url")
        if proxy and urlsplit(proxy).scheme not in ("http", "https"):
            raise BadInput("proxy_url starts with neither http:// nor https://", hint="correct it", field="proxy_url")
        return Access(
            username=str(basic.get("username") or ""),
            password=str(basic.get("password") or ""),
            password_file=self._path(basic.get("password_file")),
            authorization_type=str(bearer.get("type") or "Bearer"),
            credentials=str(bearer.get("credentials") or self._found.get("bearer_token") or ""),
            credentials_file=self._path(bearer.get("credentials_file") or self._found.get("bearer_token_file")),
            ca_file=self._path(tls.get("ca_file")),
            cert_file=self._path(tls.get("cert_file")),
            key_file=self._path(tls.get("key_file")),
            server_name=str(tls.get("server_name") or ""),
            skip_verify=boolean(tls.get("insecure_skip_verify"), "insecure_skip_verify", default=False),
            proxy_url=proxy,
            follow_redirects=self._boolean("follow_redirects", default=True),
        )

    def _table(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._typed(name, {}, Mapping, "a table")
        return found

    def _path(self, text: object) -> Path | None:
        return self._directory / str(text) if text else None


def boolean(value: object, name: str, *, default: bool) -> bool:
    """Read a switch as Prometheus does, to which `yes` and `off` are switches here and texts elsewhere."""
    if value is None:
        return default
    said = value if isinstance(value, bool) else _SWITCHES.get(str(value).lower())
    if said is None:
        raise BadInput(f"{name} is {value!r}", hint="expected true or false", field=name)
    return said


def seconds_of(text: str, name: str) -> float:
    """Read a duration as Prometheus writes it: 15s, 1m30s, 500ms. Raises BadInput."""
    match = _DURATION.match(text)
    numbers = match.groups() if match else ()
    seconds = sum((int(number) * unit for number, unit in zip(numbers, _SECONDS, strict=False) if number), 0.0)
    if not seconds:
        raise BadInput(f'{name} is "{text}"', hint="for example 15s or 1m30s", field=name)
    return seconds


def groups_of(found: object, place: str) -> list[Group]:
    """Read `[{"targets": ["host:9100"], "labels": {"env": "prod"}}]`. Raises BadInput."""
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise BadInput(f"{place} is no list", hint="- targets: ['host:9100']", field=place)
    return [_group(one, place) for one in found]


def _group(found: object, place: str) -> Group:
    targets = found.get("targets", []) if isinstance(found, Mapping) else None
    labels = (found.get("labels") or {}) if isinstance(found, Mapping) else None
    if not isinstance(targets, list) or not isinstance(labels, Mapping):
        raise BadInput(f"{place}: no targets", hint="- targets: ['host:9100']", field=place)
    return Group(tuple(map(str, targets)), {str(name): _scalar(value) for name, value in labels.items()})


def _scalar(value: object) -> str:
    """YAML's true is written as Prometheus reads it."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
