"""The log drivers of a real Docker Engine: each container is a sender of its own."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest
from tests.connectors.dockerd import IMAGE, engine
from tests.lab.intake import IntakeLab

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    with engine() as url:
        found = docker.DockerClient(base_url=url, version="auto")
        yield found
        found.close()


def _options(intake: IntakeLab, driver: str) -> dict[str, str]:
    host = "127.0.0.1"
    return {
        "syslog": {
            "syslog-address": f"tcp://{host}:{intake.port('intake_syslog')}",
            "syslog-format": "rfc5424micro",
            "tag": "{{.Name}}/{{.FullID}}",
        },
        "gelf": {"gelf-address": f"udp://{host}:{intake.port('intake_gelf')}", "tag": "{{.Name}}"},
        "fluentd": {"fluentd-address": f"{host}:{intake.port('intake_fluent')}", "tag": "docker.{{.Name}}"},
    }[driver]


@pytest.mark.parametrize("driver", ["syslog", "gelf", "fluentd"])
def test_each_container_is_a_sender(intake: IntakeLab, client: docker.DockerClient, driver: str) -> None:
    name = intake.unique(driver)
    container = client.containers.run(
        IMAGE,
        ["/bin/busybox", "sh", "-c", "for i in 1 2 3; do echo line $i; done; echo bad >&2"],
        name=name,
        detach=True,
        network_mode="none",
        log_config={"type": driver, "config": _options(intake, driver)},
    )
    container.wait(timeout=60)
    rows = intake.arrived(
        "SELECT * FROM logs WHERE resource['container.id'] = {c:String} ORDER BY message", 4, c=container.id
    )
    assert [row["message"] for row in rows] == ["bad", "line 1", "line 2", "line 3"]
    assert {(row["service"], row["resource"]["container.name"]) for row in rows} == {(name, name)}
    [sender] = intake.arrived("SELECT kind FROM senders WHERE name = {n:String}", n=container.id)
    assert sender["kind"] == "container"
    container.remove(force=True)
