"""From what discovery says to what is fetched: `__address__` and its like become a URL, the rest labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from quarterdeck.core import yamls
from quarterdeck.core.errors import BadInput
from quarterdeck.monitoring.scraping.config import groups_of, seconds_of
from quarterdeck.monitoring.scraping.job import Group, Job
from quarterdeck.monitoring.scraping.relabel import relabelled
from quarterdeck.monitoring.senders.naming import ASKED_AS

_PORTS = {"http": "80", "https": "443"}
_PARAMETER = "__param_"
_SECRET = re.compile(r"pass|pwd|secret|token|key|auth|credential|signature", re.IGNORECASE)
# A target of the inventory knows its item.
ITEM = "__meta_quarterdeck_item_id"


@dataclass(frozen=True, slots=True)
class Target:
    """`labels` go onto every sample; `identities` tell the sender, with the item when the inventory named it."""

    job: Job = field(compare=False)
    url: str
    labels: tuple[tuple[str, str], ...]
    interval_seconds: float
    timeout_seconds: float
    item: str = ""

    @property
    def shown_url(self) -> str:
        """The URL for people: what may be a password in it is "***"."""
        parts = urlsplit(self.url)
        query = [(name, "***" if _SECRET.search(name) else value) for name, value in parse_qsl(parts.query, True)]
        userinfo, at, host = parts.netloc.rpartition("@")
        netloc = f"{userinfo.partition(':')[0]}:***@{host}" if at and ":" in userinfo else parts.netloc
        return parts._replace(netloc=netloc, query=urlencode(query, safe="*/:")).geturl()

    @property
    def instance(self) -> str:
        return dict(self.labels).get("instance", "")

    @property
    def identities(self) -> dict[str, str]:
        found = {name: value for name, value in self.labels if name in ("instance", "job")}
        return {**found, ASKED_AS: self.item} if self.item else found


def targets_of(job: Job, groups: Iterable[Group]) -> list[Target]:
    """Return the job's targets after its rules, each once. Raises BadInput when there are more than its limit."""
    found: dict[Target, None] = {}
    for group in groups:
        for address in group.targets:
            target = _target(job, address, group.labels)
            if target is not None:
                found[target] = None
    if job.target_limit and len(found) > job.target_limit:
        raise BadInput(f'job "{job.name}" has {len(found)} targets, its target_limit is {job.target_limit}')
    return list(found)


def _target(job: Job, address: str, more: Mapping[str, str]) -> Target | None:
    own = {
        "job": job.name,
        "__address__": address,
        "__scheme__": job.scheme,
        "__metrics_path__": job.metrics_path,
        "__scrape_interval__": f"{job.interval_seconds:g}s",
        "__scrape_timeout__": f"{job.timeout_seconds:g}s",
        **{f"{_PARAMETER}{name}": values[0] for name, values in job.params.items() if values},
    }
    labels = relabelled({**own, **more}, job.relabel)
    if labels is None or not labels.get("__address__"):
        return None
    scheme = labels.get("__scheme__", "http")
    address = _with_port(labels["__address__"], scheme)
    shown = {name: value for name, value in labels.items() if not name.startswith("__")}
    shown.setdefault("instance", address)
    return Target(
        job,
        f"{scheme}://{address}{labels.get('__metrics_path__', '/metrics')}{_query(job, labels)}",
        tuple(sorted(shown.items())),
        _seconds(labels, "__scrape_interval__", job.interval_seconds),
        _seconds(labels, "__scrape_timeout__", job.timeout_seconds),
        more.get(ITEM, ""),
    )


def _with_port(address: str, scheme: str) -> str:
    """`host` and `[::1]` get the scheme's port."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.endswith("]")):
        return address
    if ":" in address and not address.startswith("["):
        address = f"[{address}]"
    return f"{address}:{_PORTS.get(scheme, '80')}"


def _query(job: Job, labels: Mapping[str, str]) -> str:
    """The first value of each parameter may have been rewritten by a rule."""
    found = {name: list(values) for name, values in job.params.items()}
    for label, value in labels.items():
        if label.startswith(_PARAMETER):
            name = label.removeprefix(_PARAMETER)
            found[name] = [value, *found.get(name, [])[1:]]
    return "?" + urlencode(found, doseq=True) if found else ""


def _seconds(labels: Mapping[str, str], name: str, default: float) -> float:
    text = labels.get(name, "")
    if text == f"{default:g}s":
        return default
    return seconds_of(text, name)


class TargetFiles:
    """Reads the files of `file_sd_configs` when they change. A bad one leaves the targets that it had before."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, list[Group]]] = {}

    def groups(self, patterns: Iterable[str], problems: list[str]) -> list[Group]:
        found: list[Group] = []
        for pattern in patterns:
            at = Path(pattern)
            for path in sorted(at.parent.glob(at.name)):
                found += self._read(path, problems)
        return found

    def _read(self, path: Path, problems: list[str]) -> list[Group]:
        _mtime, groups = self._known.get(path, (0, []))
        try:
            changed = path.stat().st_mtime_ns
            if changed == _mtime:
                return groups
            # YAML holds JSON.
            labels = {"__meta_filepath": str(path)}
            found = groups_of(yamls.load(path.read_text(encoding="utf-8"), path.name) or [], path.name)
            groups = [Group(group.targets, {**labels, **group.labels}) for group in found]
        except (OSError, UnicodeDecodeError, BadInput) as error:
            problems.append(f"{path}: {error.message if isinstance(error, BadInput) else error}")
            return groups
        self._known[path] = (changed, groups)
        return groups
