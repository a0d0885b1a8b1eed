"""CAT with its own client (cat-sdk 3.1.2 around the C library), unchanged, in an environment of its own."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cat"), pytest.mark.timeout(300)]
HERE = Path(__file__).parent
# The one place where the library looks for its configuration.
CLIENT_XML = Path("/data/appdatas/cat/client.xml")
_CALLS = 400


@pytest.fixture(scope="module")
def lab() -> Iterator[IntakeLab]:
    """An instance that wants a quarter of the trees."""
    with IntakeLab.running({"QD_CAT_SAMPLE_PERCENT": "25"}) as lab:
        yield lab


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the client in it."""
    home = tmp_path_factory.mktemp("cat") / "venv"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, home], check=True)
    subprocess.run(
        [uv, "pip", "install", "-q", "--python", home / "bin/python", "-r", HERE / "requirements.txt"], check=True
    )
    return home / "bin/python"


@contextmanager
def _configured(port: int) -> Iterator[None]:
    """Point the machine's CAT clients at the port; one test at a time, whoever else runs tests here."""
    CLIENT_XML.parent.mkdir(parents=True, exist_ok=True)
    with CLIENT_XML.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        CLIENT_XML.write_text(
            '<config mode="client"><servers>'
            f'<server ip="127.0.0.1" port="{port}" http-port="{port}"/></servers></config>'
        )
        try:
            yield
        finally:
            CLIENT_XML.unlink()


def _run(lab: IntakeLab, python: Path, domain: str, encoder: str, calls: int) -> None:
    with _configured(lab.port("intake_cat")):
        done = subprocess.run(
            [python, HERE / "client.py", domain, encoder, str(calls)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Got available server list" in done.stdout + done.stderr


@pytest.mark.parametrize("encoder", ["binary", "text"])
def test_all_calls_are_counted_and_a_share_of_the_trees_is_kept(lab: IntakeLab, python: Path, encoder: str) -> None:
    domain = lab.unique("shop")
    _run(lab, python, domain, encoder, _CALLS)
    counts = "SELECT name, sum(count) AS n, sum(errors) AS e FROM red_1m WHERE service = {d:String} GROUP BY name"

    def counted() -> dict[str, tuple[int, int]]:
        return {row["name"]: (int(row["n"]), int(row["e"])) for row in lab.sql(counts, d=domain)}

    wait_until(lambda: counted().get("URL /orders", (0, 0))[0] >= _CALLS, "all calls", 60)
    assert counted()["URL /orders"] == (_CALLS, 0)
    assert counted()["SQL select-order"] == (_CALLS, _CALLS // 5)
    spans = lab.sql("SELECT * FROM spans WHERE service = {d:String} AND name = 'URL /orders'", d=domain)
    assert 0 < len(spans) <= _CALLS // 4 + 1


@pytest.mark.parametrize("encoder", ["binary", "text"])
def test_a_tree_its_problem_and_its_metrics_arrive(lab: IntakeLab, python: Path, encoder: str) -> None:
    domain = lab.unique("pay")
    _run(lab, python, domain, encoder, 8)
    outer, inner = (
        lab.arrived(
            "SELECT *, hex(span_id) AS span, hex(parent_id) AS parent FROM spans WHERE service = {d:String}"
            " AND name = {n:String}",
            d=domain,
            n=name,
        )[0]
        for name in ("URL /orders", "SQL select-order")
    )
    assert (outer["kind"], inner["kind"], outer["attributes"]["cat.type"]) == ("server", "client", "URL")
    parents = lab.sql(
        "SELECT hex(span_id) AS span FROM spans WHERE service = {d:String} AND name = 'URL /orders'", d=domain
    )
    assert inner["parent"] in {row["span"] for row in parents}
    assert outer["events"][0]["name"] == "Order created"
    [problem] = lab.arrived("SELECT * FROM logs WHERE service = {d:String} AND level = 'error'", d=domain)
    assert problem["message"].startswith("Exception ValueError\n")
    assert "支付失败" in problem["message"]
    [paid] = lab.series_arrived("orders_paid_count_delta", job=domain)
    assert sum(paid["values"]) == 7
    [waited] = lab.series_arrived("orders_wait_milliseconds_sum_delta", job=domain)
    assert sum(waited["values"]) == 250
    [sender] = lab.arrived("SELECT * FROM senders WHERE kind = 'service' AND name = {d:String}", d=domain)
    assert sender["protocol"] == "cat"
