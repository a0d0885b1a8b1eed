"""A job: what its targets have in common. Made from an entry of `scrape_configs`, or for what the inventory names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quarterdeck.monitoring.scraping.relabel import Rule

# What one scrape may bring, decompressed, when the job says nothing.
BODY_MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Group:
    """Targets (`host:port`) with the labels that they share."""

    targets: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Access:
    """How the job's targets are reached. Passwords and tokens that stand in files are read when they are needed."""

    username: str = ""
    password: str = field(default="", repr=False)
    password_file: Path | None = None
    authorization_type: str = "Bearer"
    credentials: str = field(default="", repr=False)
    credentials_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""
    skip_verify: bool = False
    proxy_url: str = field(default="", repr=False)
    follow_redirects: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """See https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config

    `limits` are the most samples, labels, and characters of a label's name and value; 0 is no limit.
    """

    name: str
    interval_seconds: float = 60.0
    timeout_seconds: float = 10.0
    scheme: str = "http"
    metrics_path: str = "/metrics"
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    honor_labels: bool = False
    honor_timestamps: bool = True
    sample_limit: int = 0
    label_limit: int = 0
    label_name_limit: int = 0
    label_value_limit: int = 0
    target_limit: int = 0
    body_max_bytes: int = BODY_MAX_BYTES
    access: Access = Access()
    # Who is asked is no part of how: a target more or less leaves the others as they are.
    groups: tuple[Group, ...] = field(default=(), compare=False)
    files: tuple[str, ...] = ()
    relabel: tuple[Rule, ...] = ()
    metric_relabel: tuple[Rule, ...] = ()
