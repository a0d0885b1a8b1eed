"""Who sends telemetry becomes the right item, or one that waits to be claimed."""

from __future__ import annotations

import time

import pytest
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory import actions
from quarterdeck.inventory.models import Item, Lifecycle, Observation
from quarterdeck.monitoring import prometheus
from quarterdeck.monitoring.dashboards.making import made_for
from quarterdeck.monitoring.senders.binding import bind
from quarterdeck.telemetry import client, loading
from quarterdeck.telemetry.canonical import MetricRow, Sender, frame_of_metrics
from quarterdeck.telemetry.loading import Origin
from quarterdeck.telemetry.queries import latest, metrics_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _no_senders(telemetry: Engine) -> None:
    client.command("TRUNCATE TABLE senders")
    client.command("TRUNCATE TABLE series_written")


def _send(*senders: Sender, metric: str = "up", value: float = 1.0, key: int = 0) -> None:
    now_ms = time.time_ns() // 1_000_000
    rows = [
        MetricRow(metric, {"job": "test", "instance": sender.name}, [(now_ms, value)], sender) for sender in senders
    ]
    loading.load([frame_of_metrics(rows)], Origin("test", key, now_ms, {}), f"{time.time_ns()}")


def _host(name: str, **identities: str) -> Sender:
    return Sender("host", name, {name.replace("_", "."): text for name, text in identities.items()})


def test_an_unknown_sender_becomes_an_item_to_claim() -> None:
    _send(_host("web1", host_name="web1", os_type="linux"))
    assert bind(SYSTEM) == 1
    item = Item.objects.get(name="web1")
    assert (item.type.code, item.labels, item.attributes["os_family"]) == ("host", {"claim": "unclaimed"}, "linux")
    assert bind(SYSTEM) == 0
    assert [metric.name for metric in metrics_of(SYSTEM, item)] == ["up"]
    assert latest(SYSTEM, [item], ["up"])[item.pk]["up"][0].value == 1.0


@pytest.mark.parametrize(
    ("sender", "attributes"),
    [
        (Sender("host", "DB1"), {}),
        (Sender("instance", "db1:9100"), {}),
        (Sender("instance", "db1.example.com:9187"), {"fqdn": "db1.example.com"}),
        (Sender("instance", "10.0.0.7:9100"), {"ip_addresses": ["10.0.0.7"], "primary_ip": "10.0.0.7"}),
    ],
)
def test_a_sender_that_one_item_answers_to_is_bound_to_it(sender: Sender, attributes: dict[str, str]) -> None:
    item = actions.create_item(SYSTEM, "host", "db1", attributes)
    _send(sender)
    bind(SYSTEM)
    assert Item.objects.filter(type__code="host").count() == 1
    assert metrics_of(SYSTEM, item)
    item.refresh_from_db()
    assert item.labels == {}


def test_a_query_picks_what_an_items_senders_sent_by_its_name() -> None:
    _send(_host("web1"), metric="sent_by_name")
    _send(_host("web2"), metric="sent_by_name", value=2)
    bind(SYSTEM)

    def values(query: str) -> list[float]:
        answer = prometheus.instant(SYSTEM, query, time.time_ns() // 1_000_000).answer()
        return [value for series in answer.series for _at, value in series.samples()]

    assert values('sent_by_name{item="web1"}') == [1]
    assert values('sum(sent_by_name{item=~"web.*"})') == [3]
    assert values('sum(sent_by_name{item!="web1"})') == [2]
    assert values('sent_by_name{item="sent_by_name"}') == []


def test_a_services_own_dashboard_has_what_its_hosts_sent() -> None:
    actions.create_item(SYSTEM, "service", "test")
    _send(_host("web1"), metric="sent_of_service")
    bind(SYSTEM)
    panels = [panel for panel in made_for(SYSTEM, "service").definition.panels if panel.kind != "row"]
    expressions = {panel.title: panel.queries[0].expr for panel in panels}
    assert expressions["sent_of_service"] == 'avg by (job) (sent_of_service{job=~"(.+/)?$item"})'


@pytest.mark.parametrize("code", ["host", "container", "service"])
def test_a_target_of_the_inventory_is_bound_to_its_item_whatever_it_is_called(code: str) -> None:
    item = actions.create_item(SYSTEM, code, "shop")
    actions.create_item(SYSTEM, "host", "exporter")
    _send(Sender("instance", "exporter:9100", {"quarterdeck.item": str(item.pk)}))
    bind(SYSTEM)
    assert metrics_of(SYSTEM, item)


@pytest.mark.parametrize("source", ["import", "manual", "cloud", "zabbix"])
def test_to_be_bound_changes_nothing_that_others_know(source: str) -> None:
    known = actions.Found("host", "a", "db1", {"cpu_count": 4, "fqdn": "db1.example.com"}, labels={"role": "db"})
    actions.apply(SYSTEM, [known], source, scope="x", complete=True)
    item = Item.objects.get()
    _send(_host("db1.example.com", host_name="db1.example.com", os_type="windows"))
    bind(SYSTEM)
    before = (item.name, item.attributes, item.labels)
    item.refresh_from_db()
    assert (item.name, item.attributes, item.labels) == before
    # The source sees it no more, the sender still speaks.
    actions.apply(SYSTEM, [], source, scope="x", complete=True)
    item.refresh_from_db()
    assert (item.name, item.attributes, item.labels) == before


def test_a_target_whose_item_is_gone_is_bound_by_its_name() -> None:
    host = actions.create_item(SYSTEM, "host", "exporter")
    _send(Sender("instance", "exporter:9100", {"quarterdeck.item": "999999999"}))
    bind(SYSTEM)
    assert metrics_of(SYSTEM, host)


def test_a_name_of_two_items_is_nobodys() -> None:
    for _twice in range(2):
        actions.create_item(SYSTEM, "host", "twin")
    _send(Sender("host", "twin"))
    bind(SYSTEM)
    twins = [item.labels for item in Item.objects.filter(name="twin").order_by("pk")]
    assert twins == [{}, {}, {"claim": "unclaimed"}]


def test_a_machine_id_is_stronger_than_a_name() -> None:
    actions.apply(
        SYSTEM, [actions.Found("host", "a", "renamed", identities=[("machine_id", "ab" * 16)])], "other", scope="x"
    )
    _send(_host("old-name", host_id="AB" * 16, host_name="old-name"))
    bind(SYSTEM)
    assert metrics_of(SYSTEM, Item.objects.get(name="renamed"))


def test_a_service_and_its_host_are_two_items() -> None:
    _send(Sender("service", "shop"), _host("web1"))
    bind(SYSTEM)
    assert {(item.type.code, item.name) for item in Item.objects.all()} == {("service", "shop"), ("host", "web1")}


def test_an_adopted_item_stays_adopted_and_an_ignored_one_away() -> None:
    _send(_host("good"), _host("bad"))
    bind(SYSTEM)
    good, bad = Item.objects.get(name="good"), Item.objects.get(name="bad")
    actions.adopt(SYSTEM, [good.pk])
    actions.ignore(SYSTEM, [bad.pk])
    _send(_host("good"), _host("bad"), value=2.0)
    bind(SYSTEM)
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.labels, bad.lifecycle) == ({}, Lifecycle.TRASHED)
    assert Item.objects.count() == 2


def test_merging_an_unclaimed_item_takes_its_telemetry_along_and_back() -> None:
    item = actions.create_item(SYSTEM, "host", "real")
    _send(_host("alias-of-real"))
    bind(SYSTEM)
    other = Item.objects.get(name="alias-of-real")
    assert metrics_of(SYSTEM, item) == []
    done = actions.merge(SYSTEM, item, other)
    assert [metric.name for metric in metrics_of(SYSTEM, item)] == ["up"]
    actions.unmerge(SYSTEM, done)
    assert metrics_of(SYSTEM, item) == []


def test_many_senders_cost_few_queries(django_assert_max_num_queries: object) -> None:
    _send(*[_host(f"fleet-{number}") for number in range(300)])
    with django_assert_max_num_queries(80):  # type: ignore[operator]
        assert bind(SYSTEM) == 300
    assert Observation.objects.filter(source="intake").count() == 300
