"""Files become dashboards: ours as they are, Grafana's with a report of what could not be taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Denied
from quarterdeck.monitoring.dashboards import queries
from quarterdeck.monitoring.dashboards.grafana import Imported, is_grafana, read_grafana
from quarterdeck.monitoring.dashboards.importing import import_text, import_values

FOLDER = Path(__file__).parent / "grafana"


def recorded(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


@pytest.fixture
def today() -> Imported:
    return read_grafana(recorded("today.json"))


def panel(imported: Imported, title: str) -> dict[str, Any]:
    return next(one for one in imported.definition["panels"] if one.get("title") == title)


def notes(imported: Imported, where: str) -> list[str]:
    return [note.what for note in imported.notes if note.where == where]


def test_what_it_is_for_and_when_is_taken(today: Imported) -> None:
    taken = today.definition
    assert (taken["title"], taken["tags"], taken["range"], taken["refresh_seconds"]) == (
        "Machines", ["linux", "demo"], "24h", 60,
    )  # fmt: skip
    assert notes(today, "links")
    assert notes(today, "annotations")


def test_variables_are_taken(today: Imported) -> None:
    found = {one["name"]: one for one in today.definition["variables"]}
    assert set(found) == {"job", "node", "look", "top", "window", "mount", "word"}
    assert found["job"] == {
        "name": "job", "kind": "labels", "title": "Job", "query": "node_uname_info", "label": "job",
    }  # fmt: skip
    assert found["node"] == {
        "name": "node", "kind": "labels", "title": "Machine", "query": 'node_uname_info{job="$job"}',
        "label": "instance", "regex": r"(.*):\d+", "multi": True, "all": True, "all_value": ".*",
    }  # fmt: skip
    assert (found["top"]["options"], found["top"]["default"]) == (["5", "10", "20"], ["10"])
    assert found["window"] == {"name": "window", "kind": "interval", "options": ["1m", "5m", "1h"]}
    assert found["mount"]["hidden"]
    assert found["word"]["default"] == ["eth.*"]
    assert "query_result(up)" in notes(today, "$late")[0]
    assert "RE2" in notes(today, "$look")[0]
    assert "adhoc" in notes(today, "$Filters")[0]
    assert notes(today, "$window")
    assert not notes(today, "$datasource")


def test_a_gauge_keeps_its_scale_and_thresholds(today: Imported) -> None:
    assert panel(today, "CPU busy") == {
        "id": 2, "kind": "gauge", "title": "CPU busy", "description": "of all cores", "y": 1, "w": 6, "h": 4,
        "unit": "percent", "decimals": 1, "minimum": 0.0, "maximum": 100.0,
        "thresholds": [{"value": 85.0, "level": "warn"}, {"value": 95.0, "level": "bad"}],
        "queries": [{
            "expr": '100 * (1 - avg(rate(node_cpu_seconds_total{mode="idle", instance=~"$node.*"}[$__rate_interval])))'
        }],
    }  # fmt: skip
    assert not notes(today, "CPU busy")


def test_a_query_that_does_not_parse_is_left_out_and_told(today: Imported) -> None:
    uptime = panel(today, "Uptime")
    assert (len(uptime["queries"]), uptime["reduce"], uptime["unit"]) == (1, "mean", "seconds")
    assert any("node_load1{" in what for what in notes(today, "Uptime"))
    assert any("mappings" in what for what in notes(today, "Uptime"))


def test_what_has_no_counterpart_is_told(today: Imported) -> None:
    traffic = panel(today, "Traffic")
    assert (traffic["draw"], traffic["unit"], traffic["x"]) == ("stacked", "bit/s", 12)
    assert [one["legend"] for one in traffic["queries"]] == ["{{device}} in", "{{ device }} out"]
    assert len(notes(today, "Traffic")) == 3
    assert panel(today, "Shares")["kind"] == "bars"
    assert notes(today, "Shares")
    assert not any(one.get("title") == "Where" for one in today.definition["panels"])
    assert "geomap" in notes(today, "Where")[0]
    assert "lumens" in notes(today, "Versions")[0]
    assert panel(today, "Versions")["unit"] == "lumens"
    assert "loki" in notes(today, "Latency")[0]
    assert (panel(today, "About")["kind"], len(notes(today, "About"))) == ("text", 1)


def test_panels_of_a_folded_row_come_after_it(today: Imported) -> None:
    titles = [one["title"] for one in today.definition["panels"]]
    assert titles == [
        "Quick", "CPU busy", "Uptime", "Traffic", "Disks", "Shares", "More", "Versions", "Latency", "About",
    ]  # fmt: skip
    assert panel(today, "More")["collapsed"]


def test_rows_of_version_4_become_a_grid() -> None:
    old = read_grafana(recorded("version4.json"))
    assert [(one["title"], one.get("x", 0), one.get("y", 0), one.get("w", 12)) for one in old.definition["panels"]] == [
        ("Overview", 0, 0, 24), ("CPU", 0, 1, 4), ("Cores", 4, 1, 20), ("Memory", 0, 6, 12), ("Folded", 0, 11, 24),
        ("Load", 0, 12, 24),
    ]  # fmt: skip
    cpu, memory, load = panel(old, "CPU"), panel(old, "Memory"), panel(old, "Load")
    assert (cpu["kind"], cpu["reduce"], cpu["maximum"]) == ("gauge", "mean", 100)
    assert [one["level"] for one in cpu["thresholds"]] == ["warn", "bad"]
    assert panel(old, "Cores")["kind"] == "stat"
    assert (memory["draw"], memory["unit"], memory["minimum"]) == ("stacked", "bytes", 0)
    assert (load["draw"], len(load["queries"])) == ("bar", 1)
    assert (old.definition["range"], "refresh_seconds" in old.definition) == ("6h", False)


@pytest.mark.parametrize(
    "values",
    [
        {"schemaVersion": 39},
        {"schemaVersion": 39, "tags": 5, "panels": [{"type": "singlestat", "colors": 1, "options": []}]},
        {"schemaVersion": 39, "panels": "x", "templating": [], "tags": {"a": 1}, "time": 7, "refresh": 5},
        {"schemaVersion": 9, "panels": [None, {"type": 3}, {"type": "graph", "gridPos": {"w": -5, "x": "a"}}]},
        {"rows": [{"panels": [{"type": "graph", "span": 1e400, "targets": [{"expr": {"a": 1}}]}]}]},
        {"dashboard": {"schemaVersion": 1, "title": "x" * 1000, "panels": [{"type": "text", "content": "y" * 50_000}]}},
        {"schemaVersion": 1, "templating": {"list": [{"type": "query", "name": "a b", "query": "label_values(a)"}]}},
        {"rows": 1, "panels": [{"type": "stat", "fieldConfig": {"defaults": {"min": "NaN", "decimals": "many"}}}]},
    ],
)  # fmt: skip
def test_odd_values_make_no_error(values: Any) -> None:
    assert read_grafana(values).definition["title"]


def test_what_is_none_is_refused() -> None:
    assert not is_grafana({"title": "Hosts", "panels": [{"id": 1, "queries": []}]})
    with pytest.raises(BadInput):
        read_grafana({"title": "x"})


@pytest.mark.django_db
class TestFile:
    def test_grafanas_is_saved_with_its_report(self, owner: Actor) -> None:
        content = (FOLDER / "today.json").read_bytes()
        taken = import_text(owner, content, "machines.json")
        assert (taken.dashboard.slug, taken.result) == ("machines", "made")
        assert len(taken.notes) > 10
        assert import_text(owner, content, "again.json").result == "unchanged"
        assert import_text(owner, content, "other.json", slug="other").dashboard.slug == "other"

    def test_ours_takes_the_short_name_of_the_file(self, owner: Actor) -> None:
        assert import_text(owner, b"title: Hosts\npanels: []\n", "My Hosts.yaml").dashboard.slug == "my-hosts"
        assert import_text(owner, b"slug: named\ntitle: Hosts\n", "x.yaml").dashboard.slug == "named"
        assert import_text(owner, "title: 主机\n".encode(), "主机.yaml").dashboard.slug == "dashboard"

    def test_a_text_that_looks_like_a_date_is_a_text(self, owner: Actor) -> None:
        assert import_text(owner, b"title: 2026-99-99\n", "x.yaml").dashboard.title == "2026-99-99"

    def test_a_trial_saves_nothing(self, owner: Actor) -> None:
        taken = import_values(owner, recorded("today.json"), is_dry=True)
        assert (taken.result, taken.dashboard.version) == ("made", 1)
        assert not queries.dashboards(owner).exists()

    @pytest.mark.parametrize(
        "content",
        [
            b"? [a]\n: b", b"[" * 100_000,
            b"", b"[]", b"title: [", b"\xff\xfe\x00", b"a: &a [1]\nb: *a\n", b"{" * 5000,
            b"!!python/object/apply:os.system ['id']",
        ],
    )  # fmt: skip
    def test_what_is_no_dashboard_is_refused(self, owner: Actor, content: bytes) -> None:
        with pytest.raises(BadInput):
            import_text(owner, content, "x.yaml")

    def test_it_needs_the_right(self, teammate: Actor) -> None:
        with pytest.raises(Denied):
            import_values(teammate, recorded("today.json"))
        with pytest.raises(Denied):
            import_values(teammate, recorded("today.json"), is_dry=True)
