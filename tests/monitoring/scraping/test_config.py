"""A prometheus.yml is read as it is, and what of it is not followed is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.core.errors import BadInput
from quarterdeck.monitoring.scraping import config
from quarterdeck.monitoring.scraping.discovery import Discovery
from quarterdeck.monitoring.scraping.job import Job
from quarterdeck.monitoring.scraping.targets import Target, targets_of

FULL = r"""
global: {scrape_interval: 30s, evaluation_interval: 1m, external_labels: {dc: one}}
rule_files: [rules/*.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ['am:9093']}]}]}
remote_write: [{url: 'http://elsewhere'}]
scrape_configs:
- job_name: node
  scrape_interval: 1m30s
  scrape_timeout: 5s
  static_configs:
  - targets: ['web1:9100', 'web2:9100', '10.0.0.1', '[::1]:9100', 'fe80::1']
    labels: {env: prod, canary: true}
- job_name: blackbox
  metrics_path: /probe
  scheme: https
  params: {module: [http_2xx], debug: ['1', '2']}
  static_configs: [{targets: ['https://example.com']}]
  relabel_configs:
  - {source_labels: [__address__], target_label: __param_target}
  - {source_labels: [__param_target], target_label: instance}
  - {target_label: __address__, replacement: 'blackbox:9115'}
- job_name: secret
  honor_labels: true
  honor_timestamps: false
  sample_limit: 100
  body_size_limit: 2MB
  basic_auth: {username: me, password: topsecret}
  tls_config: {ca_file: ca.pem, insecure_skip_verify: true, server_name: x}
  file_sd_configs: [{files: ['targets/*.yml', 'targets/*.json'], refresh_interval: 5m}]
  metric_relabel_configs: [{source_labels: [__name__], regex: 'go_.*', action: drop}]
- job_name: token
  authorization: {credentials_file: token}
  scrape_interval: 5s
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prometheus.yml"
    path.write_text(FULL)
    return path


def _jobs(path: Path) -> dict[str, Job]:
    found = config.read(path)
    assert found.problems == ()
    return {job.name: job for job in found.jobs}


def _targets(job: Job) -> dict[str, Target]:
    return {target.instance: target for target in targets_of(job, job.groups)}


def test_it_reads_intervals_labels_and_addresses(file: Path) -> None:
    node = _jobs(file)["node"]
    assert (node.interval_seconds, node.timeout_seconds) == (90, 5)
    targets = _targets(node)
    assert {target.url for target in targets.values()} == {
        "http://web1:9100/metrics", "http://web2:9100/metrics", "http://10.0.0.1:80/metrics", "http://[::1]:9100/metrics",
        "http://[fe80::1]:80/metrics",
    }  # fmt: skip
    assert dict(targets["web1:9100"].labels) == {
        "job": "node", "instance": "web1:9100", "env": "prod", "canary": "true"
    }  # fmt: skip
    token = _jobs(file)["token"]
    assert (token.interval_seconds, token.timeout_seconds) == (5, 5)
    assert _jobs(file)["secret"].interval_seconds == 30


def test_it_rewrites_targets(file: Path) -> None:
    [target] = _targets(_jobs(file)["blackbox"]).values()
    assert target.instance == "https://example.com"
    assert target.url == "https://blackbox:9115/probe?module=http_2xx&debug=1&debug=2&target=https%3A%2F%2Fexample.com"


def test_it_reads_how_targets_are_reached(file: Path) -> None:
    secret = _jobs(file)["secret"]
    assert (secret.honor_labels, secret.honor_timestamps, secret.sample_limit) == (True, False, 100)
    assert secret.body_max_bytes == 2 << 20
    assert secret.access.ca_file == file.parent / "ca.pem"
    assert "topsecret" not in repr(secret)
    assert _jobs(file)["token"].access.credentials_file == file.parent / "token"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{job_name: x, kubernetes_sd_configs: [{role: pod}]}", "kubernetes_sd_configs is not followed"),
        ("{job_name: x, metric_path: /m}", 'unknown key "metric_path"'),
        ("{job_name: x, scrape_interval: 5s, scrape_timeout: 10s}", "scrape_timeout is longer"),
        ("{job_name: x, scrape_interval: soon}", 'scrape_interval is "soon"'),
        ("{job_name: x, scheme: ftp}", 'scheme is "ftp"'),
        ("{job_name: x, honor_labels: maybe}", "honor_labels is 'maybe'"),
        ("{job_name: x, sample_limit: -1}", "sample_limit is -1"),
        ("{job_name: x, static_configs: [web1]}", "no targets"),
        ("{job_name: x, static_configs: {targets: [a]}}", "no list"),
        ("{job_name: x, relabel_configs: [{action: kepe}]}", "unknown action"),
        ("{job_name: x, file_sd_configs: ['a.yml']}", "needs files"),
        ("{static_configs: []}", "job_name is missing"),
        ("{job_name: good}", "there twice"),
        ("just text", "no table"),
    ],
)
def test_a_bad_job_is_said_and_the_others_are_followed(tmp_path: Path, entry: str, problem: str) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(f"scrape_configs:\n- {{job_name: good}}\n- {entry}\n")
    found = config.read(path)
    assert [job.name for job in found.jobs] == ["good"]
    assert problem in found.problems[0]
    assert found.problems[0].startswith("scrape_configs[1]")


@pytest.mark.parametrize("text", ["scrape_configs: [", "- 1", "\x00", "a: !!python/object:os.system {}"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(text)
    with pytest.raises(BadInput):
        config.read(path)


def test_words_of_yaml_are_switches_where_one_is_expected_and_texts_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    job = "job_name: a, honor_labels: yes, tls_config: {insecure_skip_verify: no}"
    labels = "labels: {country: no, since: 010, at: 1:30}"
    path.write_text(f"scrape_configs: [{{{job}, static_configs: [{{targets: ['a:1'], {labels}}}]}}]")
    found = config.read(path).jobs[0]
    assert (found.honor_labels, found.access.skip_verify) == (True, False)
    assert found.groups[0].labels == {"country": "no", "since": "010", "at": "1:30"}
    path.write_text("scrape_configs: [{job_name: a, honor_labels: maybe}, {job_name: b, job_name: c}]")
    with pytest.raises(BadInput, match="stands twice"):
        config.read(path)


def test_files_of_targets_are_followed_while_they_change(tmp_path: Path) -> None:
    path, targets = tmp_path / "prometheus.yml", tmp_path / "web.json"
    path.write_text("scrape_configs: [{job_name: files, file_sd_configs: [{files: ['*.json']}]}]")
    targets.write_text('[{"targets": ["a:1"], "labels": {"env": "prod"}}]')
    discovery = Discovery(str(path), 0)

    def found() -> tuple[list[str], list[str]]:
        listed, problems = discovery()
        return [target.url for target in listed], problems

    assert found() == (["http://a:1/metrics"], [])
    targets.write_text('[{"targets": ["a:1", "b:2"]}]')
    assert found()[0] == ["http://a:1/metrics", "http://b:2/metrics"]
    targets.write_text('[{"targets": ["a:1"')
    stale, problems = found()
    assert stale == ["http://a:1/metrics", "http://b:2/metrics"]
    assert "web.json" in problems[0]
    targets.unlink()
    assert found() == ([], [])


def test_a_file_that_breaks_leaves_the_jobs_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    discovery = Discovery(str(path), 0)
    assert discovery()[0] == []
    assert "cannot be read" in discovery()[1][0]
    path.write_text("scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}]}]")
    assert [target.url for target in discovery()[0]] == ["http://a:1/metrics"]
    path.write_text("scrape_configs: [")
    targets, problems = discovery()
    assert [target.url for target in targets] == ["http://a:1/metrics"]
    assert "cannot be read" in problems[0]


def test_more_targets_than_the_limit_are_none() -> None:
    groups = config.groups_of([{"targets": ["a:1", "b:1", "a:1"]}], "x")
    assert len(targets_of(Job("x", target_limit=2), groups)) == 2
    with pytest.raises(BadInput, match="target_limit"):
        targets_of(Job("x", target_limit=1), groups)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://web1:9100/metrics", "http://web1:9100/metrics"),
        ("https://b:9115/probe?module=http_2xx&target=https://x.org/", "https://b:9115/probe?module=http_2xx&target=https://x.org/"),
        ("http://api:80/m?auth_token=hunter2&page=1", "http://api:80/m?auth_token=***&page=1"),
        ("http://ops:hunter2@api:80/m?apiKey=hunter2", "http://ops:***@api:80/m?apiKey=***"),
        ("http://[::1]:9100/metrics", "http://[::1]:9100/metrics"),
    ],
)  # fmt: skip
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert Target(Job("x"), url, (), 15, 10).shown_url == shown
