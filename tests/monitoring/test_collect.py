"""This machine's metrics: named, bound to its item, kept while the engine is away, and cheap to read."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Unavailable
from quarterdeck.inventory.connectors import passes
from quarterdeck.inventory.models import Item
from quarterdeck.monitoring import actions
from quarterdeck.monitoring.collection.backlog import Backlog
from quarterdeck.monitoring.collection.containers import usages
from quarterdeck.monitoring.collection.reading import Reading
from quarterdeck.monitoring.collection.system import System
from quarterdeck.telemetry.samples import Sample

ID = "0123456789abcdef" * 4


@pytest.fixture
def readings() -> list[Reading]:
    """A reading after some processor time has passed: the kernel counts it in ticks of 10 ms."""
    system = System()
    list(system.read())
    for _attempt in range(500):
        time.sleep(0.02)
        found = list(system.read())
        if values(found, "system_cpu_utilization_ratio"):
            return found
    raise AssertionError("no processor time passed")


def values(readings: list[Reading], metric: str, **labels: str) -> list[float]:
    return [one.value for one in readings if one.metric == metric and labels.items() <= one.labels.items()]


@pytest.mark.parametrize(
    "metric",
    [
        "system_cpu_utilization_ratio", "system_cpu_load_average_1m", "system_memory_usage_bytes",
        "system_memory_utilization_ratio", "system_paging_usage_bytes", "system_filesystem_usage_bytes",
        "system_filesystem_utilization_ratio", "system_network_io_bytes_total", "system_processes_count",
        "system_uptime_seconds",
    ],
)  # fmt: skip
def test_it_measures(readings: list[Reading], metric: str) -> None:
    assert values(readings, metric)


def test_the_states_of_a_processor_add_up_to_one(readings: list[Reading]) -> None:
    for cpu in range(psutil.cpu_count() or 1):
        shares = values(readings, "system_cpu_utilization_ratio", cpu=str(cpu))
        assert not shares or sum(shares) == pytest.approx(1)


def test_the_first_reading_has_no_processor_shares() -> None:
    assert not values(list(System().read()), "system_cpu_utilization_ratio")


def test_every_series_is_read_once(readings: list[Reading]) -> None:
    keys = [(one.metric, tuple(sorted(one.labels.items()))) for one in readings]
    assert len(keys) == len(set(keys))


def test_ratios_are_shares(readings: list[Reading]) -> None:
    assert all(0 <= one.value <= 1 for one in readings if one.metric.endswith("_ratio"))


def test_pseudo_file_systems_are_left_out(readings: list[Reading]) -> None:
    mounts = {one.labels["mountpoint"] for one in readings if one.metric == "system_filesystem_usage_bytes"}
    assert "/" in mounts
    assert not {"/proc", "/sys", "/dev", "/dev/shm", "/run"} & mounts


def test_the_processes_are_counted_by_state(readings: list[Reading]) -> None:
    counted = sum(values(readings, "system_processes_count"))
    assert counted == pytest.approx(len(psutil.pids()), abs=20)
    assert values(readings, "system_processes_count", status="running") >= [1]


def group(root: Path, name: str, **files: str) -> None:
    (root / name).mkdir(parents=True)
    for file, text in files.items():
        (root / name / file.replace("__", ".")).write_text(text)


def test_a_container_is_measured_by_its_control_group(tmp_path: Path) -> None:
    files = {"cpu__stat": "usage_usec 2500000\nuser_usec 1\n", "memory__current": "5000\n"}
    group(tmp_path, f"system.slice/docker-{ID}.scope", **files, memory__stat="anon 1\ninactive_file 1000\n")
    assert usages({ID: "unix:///nowhere"}, tmp_path)[ID].cpu_seconds == 2.5
    assert usages({ID: "unix:///nowhere"}, tmp_path)[ID].memory_bytes == 4000


def test_a_container_is_measured_by_its_control_group_of_version_one(tmp_path: Path) -> None:
    group(tmp_path, f"cpuacct/docker/{ID}", cpuacct__usage="2500000000\n")
    stat = "cache 1\ntotal_inactive_file 1000\n"
    group(tmp_path, f"memory/docker/{ID}", memory__usage_in_bytes="5000\n", memory__stat=stat)
    usage = usages({ID: "unix:///nowhere"}, tmp_path)[ID]
    assert (usage.cpu_seconds, usage.memory_bytes) == (2.5, 4000)


def test_a_container_that_has_ended_is_left_out(tmp_path: Path) -> None:
    assert usages({ID: "unix:///nowhere/docker.sock"}, tmp_path) == {}


class Engine:
    def __init__(self) -> None:
        self.stored: list[int] = []
        self.is_away = False

    def write(self, samples: object) -> None:
        if self.is_away:
            raise Unavailable("the engine is away")
        self.stored += samples  # type: ignore[operator]


def test_samples_wait_for_an_engine_that_is_away() -> None:
    engine, backlog = Engine(), Backlog[int](limit=3)
    engine.is_away = True
    for number in range(2):
        backlog.add([number])
        assert backlog.flush(engine.write) == 0
    engine.is_away = False
    backlog.add([2])
    assert backlog.flush(engine.write) == 3
    assert engine.stored == [0, 1, 2]
    assert len(backlog) == 0


def test_the_oldest_samples_are_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    engine, backlog = Engine(), Backlog[int](limit=2)
    for number in range(5):
        backlog.add([number, number])
    assert backlog.dropped == 6
    assert "6 samples dropped" in caplog.text
    backlog.flush(engine.write)
    assert engine.stored == [3, 3, 4, 4]


@pytest.mark.django_db
def test_the_samples_belong_to_this_machine_s_item() -> None:
    passes.sync(SYSTEM, "this_machine", "local")
    host = Item.objects.get(type__code="host")
    at = now()
    found = list(actions.samples(host.pk, at))
    assert {(sample.item_id, sample.at) for sample in found} == {(host.pk, at)}


@pytest.mark.django_db
def test_before_this_machine_is_known_its_source_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(actions, "later", asked.append)
    assert actions.collect(SYSTEM) == 0
    assert asked == ["inventory.sync_sources"]


@pytest.mark.django_db
def test_a_collection_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[Sample] = []
    monkeypatch.setattr(actions, "write_samples", lambda samples: stored.extend(samples))
    passes.sync(SYSTEM, "this_machine", "local")
    assert actions.collect(SYSTEM) == len(stored) > 20
