"""A certificate that is none closes its own listener, says why, and stops nothing else."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from tests.intake.door import attacked
from tests.lab.certificates import make_certificate
from tests.lab.parts import free_port

from quarterdeck.intake import listeners
from quarterdeck.intake.gate import Gate
from quarterdeck.intake.listeners import Listeners
from quarterdeck.intake.states import States
from quarterdeck.telemetry.receivers.syslog import PLUGIN


async def _until(happened: object) -> None:
    assert callable(happened)
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.02)


async def _opened(gate: Gate, home: Path, settings: dict[str, str]) -> None:
    states = States({"syslog": PLUGIN}, gate, home / "state")
    ports = Listeners({"syslog": PLUGIN}, gate, settings, states, None)
    ports.start()
    await _until(lambda: len(ports.shown()) == 3)
    found = {one["address"].split()[0]: one["problem"] for one in ports.shown()}
    assert found["tcp"] == ""
    assert str(home / "certificate.pem") in found["tls"]
    assert "cannot be read" in found["tls"]
    # Mended, it is taken without a restart.
    certificate, _key = make_certificate(home)
    await _until(lambda: all(not one["problem"] for one in ports.shown()))
    context = ssl.create_default_context(cafile=str(certificate))
    port = int(settings["intake_syslog_tls"].rpartition(":")[2])
    _reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    writer.close()
    await asyncio.gather(*(port.stop() for _protocol, _name, port in ports._ports))


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"])
def test_a_bad_certificate_closes_its_own_listener_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setattr(listeners, "_AGAIN_SECONDS", 0.05)
    if content is not None:
        (tmp_path / "certificate.pem").write_bytes(content)
    settings = {
        "intake_grpc": "",
        "intake_syslog": f"127.0.0.1:{free_port()}",
        "intake_syslog_tls": f"127.0.0.1:{free_port()}",
        "intake_tls_certificate": str(tmp_path / "certificate.pem"),
        "intake_tls_key": str(tmp_path / "key.pem"),
    }
    with attacked(tmp_path / "spool") as one:
        asyncio.run(_opened(one.gate, tmp_path, settings))
