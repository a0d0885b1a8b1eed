"""GELF with pygelf and graypy, over UDP, TCP and HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable

import graypy
import pygelf
import pytest
from tests.lab.intake import IntakeLab

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]
_ROWS = "SELECT * FROM logs WHERE attributes['order'] = {o:String}"
Make = Callable[[int, int], logging.Handler]

_HANDLERS: dict[str, Make] = {
    "pygelf udp": lambda own, _http: pygelf.GelfUdpHandler(host="127.0.0.1", port=own, include_extra_fields=True),
    "pygelf udp plain": lambda own, _http: pygelf.GelfUdpHandler(
        host="127.0.0.1", port=own, include_extra_fields=True, compress=False, chunk_size=1300
    ),
    "pygelf tcp": lambda own, _http: pygelf.GelfTcpHandler(host="127.0.0.1", port=own, include_extra_fields=True),
    "pygelf http": lambda _own, http: pygelf.GelfHttpHandler(
        host="127.0.0.1", port=http, path="/gelf", include_extra_fields=True
    ),
    "graypy udp": lambda own, _http: graypy.GELFUDPHandler("127.0.0.1", own),
    "graypy tcp": lambda own, _http: graypy.GELFTCPHandler("127.0.0.1", own),
    "graypy http": lambda _own, http: graypy.GELFHTTPHandler("127.0.0.1", http, compress=True),
}


# Both clients leave it to the garbage collector to close their HTTP connections.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("size", [10, 60_000])
@pytest.mark.parametrize("name", _HANDLERS)
def test_it_stores_messages(intake: IntakeLab, name: str, size: int) -> None:
    order = intake.unique("order")
    handler = _HANDLERS[name](intake.port("intake_gelf"), intake.port("intake_http"))
    logger = logging.getLogger(f"{order}-{name}")
    logger.addHandler(handler)
    # Numbers, so that it cannot be compressed into one datagram.
    text = " ".join(str(at * 7919 % 104729) for at in range(size // 5))
    logger.error(text, extra={"order": order})
    handler.close()
    [row] = intake.arrived(_ROWS, o=order)
    # The text itself would fill the screen.
    assert row["message"][-20:] == text[-20:]
    assert (len(row["message"]), row["level"], row["source"]) == (len(text), "error", "gelf")
    assert row["host"]


def test_http_says_accepted(intake: IntakeLab) -> None:
    order = intake.unique("order")
    body = f'{{"version":"1.1","host":"web-5","short_message":"s","full_message":"f","_order":"{order}","_level":"x"}}'
    assert intake.post("/gelf", body.encode()) == (202, b"")
    [row] = intake.arrived(_ROWS, o=order)
    assert (row["message"], row["host"], row["attributes"]["gelf.level"]) == ("f", "web-5", "x")
    status, answer = intake.post("/gelf", b'{"host":"web-5"}')
    assert status == 400
    assert b"short_message" in answer
