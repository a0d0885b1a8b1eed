"""The Docker Engine, by a real one: what runs in it becomes items, and what ends there ends here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import docker
import pytest
from docker.models.containers import Container
from tests.connectors.dockerd import IMAGE, engine, overlay

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.errors import Unavailable
from quarterdeck.inventory.connectors import docker_engine, passes
from quarterdeck.inventory.connectors.connector import Session
from quarterdeck.inventory.models import Change, Item, Lifecycle, Observation, Relation, SyncRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.xdist_group("dockerd")]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with engine() as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[docker.DockerClient]:
    found = docker.DockerClient(base_url=url, version="auto")
    yield found
    for container in found.containers.list(all=True):
        container.remove(force=True)
    found.networks.prune()
    for volume in found.volumes.list():
        volume.remove(force=True)
    found.close()


def run(client: docker.DockerClient, name: str, **options: object) -> Container:
    return client.containers.run(IMAGE, ["/bin/sleep", "3600"], name=name, detach=True, **options)


def sync(url: str) -> SyncRun:
    return passes.sync(SYSTEM, "docker_engine", url)


def item(name: str, type_code: str = "container") -> Item:
    return Item.objects.get(type__code=type_code, name=name)


def related(name: str) -> set[tuple[str, str, str]]:
    edges = Relation.objects.filter(src=item(name)).values_list("type", "dst__type__code", "dst__name")
    return set(edges)


@pytest.mark.parametrize("mode", ["bridge", "host", "none"])
def test_a_container_is_attached_to_the_network_of_its_mode(url: str, client: docker.DockerClient, mode: str) -> None:
    run(client, f"c-{mode}", network=mode)
    assert sync(url).outcome == SyncRun.Outcome.COMPLETE
    found = item(f"c-{mode}")
    assert (found.state, found.raw_state, found.attributes["network_mode"]) == ("running", "running", mode)
    host = Item.objects.get(type__code="host").name
    assert related(f"c-{mode}") == {
        ("runs_on", "host", host),
        ("uses_image", "image", IMAGE),
        ("attached_to", "network", mode),
    }
    assert item(mode, "network").attributes["mode"] == mode
    assert bool(found.primary_ip) == (mode == "bridge")


def test_a_container_is_attached_to_an_overlay_network(url: str, client: docker.DockerClient) -> None:
    with overlay(client, "mesh"):
        run(client, "c-overlay", network="mesh")
        assert sync(url).outcome == SyncRun.Outcome.COMPLETE
        found, network = item("c-overlay"), item("mesh", "network")
        assert network.attributes["mode"] == "overlay"
        assert network.attributes["scope"] == "swarm"
        assert network.attributes["attachable"] is True
        assert ("attached_to", "network", "mesh") in related("c-overlay")
        assert found.attributes["network_mode"] == "mesh"
        (subnet,) = network.attributes["subnets"]
        assert ip_address(found.primary_ip) in ip_network(subnet)
        assert item("ingress", "network").attributes["mode"] == "overlay"
    sync(url)
    assert item("mesh", "network").lifecycle == Lifecycle.ABSENT


def test_networks_volumes_ports_and_labels_are_told(url: str, client: docker.DockerClient) -> None:
    client.networks.create("front", driver="bridge", labels={"tier": "edge"})
    client.volumes.create("data1")
    mounts = {"data1": {"bind": "/data", "mode": "ro"}}
    run(client, "web", network="front", volumes=mounts, labels={"role": "web"}, ports={"80/tcp": ("127.0.0.1", 0)})
    sync(url)
    found = item("web")
    assert ("attached_to", "network", "front") in related("web")
    assert ("mounts", "volume", "data1") in related("web")
    assert found.labels == {"role": "web"}
    assert found.attributes["ports"][0].startswith("127.0.0.1:")
    assert found.attributes["mounts"] == [{"type": "volume", "source": "data1", "target": "/data", "read_only": True}]
    assert item("front", "network").labels == {"tier": "edge"}
    assert item("front", "network").attributes["subnets"]


def test_secrets_do_not_reach_the_inventory(url: str, client: docker.DockerClient) -> None:
    command = ["/bin/sleep", "3600", "--db-password=geheim2"]
    client.containers.create(IMAGE, command, name="secretive", environment={"DB_PASSWORD": "geheim1", "MODE": "x"})
    pages = list(docker_engine.pages(Session(url)))
    assert "geheim" not in json.dumps(pages)
    sync(url)
    assert item("secretive").attributes["env_names"] == ["DB_PASSWORD", "MODE"]
    assert not [row for row in Observation.objects.all() if "geheim" in json.dumps(row.attributes)]


def test_a_second_pass_over_the_same_engine_is_no_news(url: str, client: docker.DockerClient) -> None:
    run(client, "still")
    sync(url)
    before = Change.objects.count()
    assert sync(url).counts["updated"] == 0
    assert Change.objects.count() == before


def test_a_stop_is_a_change_of_state_in_the_history(url: str, client: docker.DockerClient) -> None:
    container = run(client, "stopping")
    sync(url)
    container.stop(timeout=0)
    sync(url)
    found = item("stopping")
    assert (found.state, found.raw_state, found.attributes["exit_code"]) == ("stopped", "exited", 137)
    assert found.lifecycle == Lifecycle.ACTIVE
    changes = dict(Change.objects.filter(item=found, field="state").values_list("old", "new"))
    assert changes == {"running": "stopped"}


def test_a_removed_container_is_absent_at_the_next_pass(url: str, client: docker.DockerClient) -> None:
    container = run(client, "short")
    sync(url)
    container.remove(force=True)
    sync(url)
    assert item("short").lifecycle == Lifecycle.ABSENT


def test_a_removed_network_and_volume_are_absent_too(url: str, client: docker.DockerClient) -> None:
    network, volume = client.networks.create("short-net"), client.volumes.create("short-volume")
    sync(url)
    network.remove()
    volume.remove()
    sync(url)
    assert item("short-net", "network").lifecycle == Lifecycle.ABSENT
    assert item("short-volume", "volume").lifecycle == Lifecycle.ABSENT


def test_a_volume_made_again_under_its_name_is_alive(url: str, client: docker.DockerClient) -> None:
    volume = client.volumes.create("again")
    sync(url)
    volume.remove()
    client.volumes.create("again")
    sync(url)
    assert item("again", "volume").lifecycle == Lifecycle.ACTIVE


def test_this_machine_and_its_engine_are_one_host(url: str, client: docker.DockerClient) -> None:
    passes.sync(SYSTEM, "this_machine", "local")
    sync(url)
    host = Item.objects.get(type__code="host")
    assert host.attributes["docker_version"] == client.version()["Version"]
    assert host.attributes["cpu_count"]


def test_an_engine_that_is_away_makes_a_failed_run_and_nothing_missing(url: str, client: docker.DockerClient) -> None:
    run(client, "kept")
    sync(url)
    nowhere = "unix:///nonexistent/docker.sock"
    assert passes.sync(SYSTEM, "docker_engine", nowhere).outcome == SyncRun.Outcome.FAILED
    assert item("kept").lifecycle == Lifecycle.ACTIVE
    with pytest.raises(Unavailable):
        docker_engine.client(nowhere)
