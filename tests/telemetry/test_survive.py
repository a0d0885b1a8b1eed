"""What is acknowledged stays, once, however the engine ends."""

from __future__ import annotations

import http.client
import random
import shutil
import signal
import threading
import time

import pytest
from tests.telemetry.engines import Engine

pytestmark = pytest.mark.slow

_ROUNDS = 10
_ROWS = 500


class Writer(threading.Thread):
    """Writes numbered batches and sends each again, with its token, until it is acknowledged."""

    def __init__(self, engine: Engine, number: int) -> None:
        super().__init__(daemon=True)
        self._engine, self._number = engine, number
        self.acknowledged: list[int] = []
        self.refused = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        batch = 0
        while not self.stopping.is_set():
            if self._send(batch):
                self.acknowledged.append(batch)
                batch += 1
            else:
                self.refused += 1
                time.sleep(0.05)

    def _send(self, batch: int) -> bool:
        rows = "".join(f"{self._number},{batch},{row}\n" for row in range(_ROWS))
        token = f"{self._number}-{batch}"
        try:
            sql = f"INSERT INTO written FORMAT CSV\n{rows}"
            return self._engine.ask(sql, insert_deduplication_token=token).status == 200
        except (OSError, http.client.HTTPException, KeyError):
            return False


@pytest.mark.timeout(300)
def test_rows_acknowledged_before_a_kill_are_there_exactly_once(own_engine: Engine) -> None:
    own_engine.ask(
        "CREATE TABLE written (writer UInt8, batch UInt32, row UInt32) ENGINE = MergeTree ORDER BY (writer, batch, row)"
        " SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1"
    )
    writers = [Writer(own_engine, number) for number in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(_ROUNDS):
        time.sleep(random.uniform(0.3, 1.0))
        own_engine.stop(signal.SIGKILL)
        own_engine.start()
    for writer in writers:
        writer.stopping.set()
        writer.join(60)
    assert sum(writer.refused for writer in writers) > 0, "no kill hit a writer"
    for number, writer in enumerate(writers):
        assert writer.acknowledged, "nothing was written"
        found = own_engine.ask(
            f"SELECT batch, count(), uniqExact(row) FROM written WHERE writer = {number} GROUP BY batch ORDER BY batch"
        ).body.decode()
        rows = {int(line.split("\t")[0]): line.split("\t")[1:] for line in found.splitlines()}
        whole = [str(_ROWS), str(_ROWS)]
        assert {batch: rows.get(batch) for batch in writer.acknowledged if rows.get(batch) != whole} == {}
        # The one batch that was on its way at the end may be there too, whole.
        assert set(rows) <= {*writer.acknowledged, len(writer.acknowledged)}


def test_a_killed_engine_leaves_no_half_received_bodies(own_engine: Engine) -> None:
    leftover = own_engine.data / "run" / "engine" / "tmpleft"
    leftover.write_bytes(b"x")
    own_engine.stop(signal.SIGKILL)
    own_engine.start()
    assert not leftover.exists()


def test_an_insert_killed_between_its_token_and_its_part_can_be_sent_again(own_engine: Engine) -> None:
    """The engine notes the token first: without help the second try would be taken for a copy of nothing."""
    own_engine.ask(
        "CREATE TABLE written (batch UInt32) ENGINE = MergeTree ORDER BY batch"
        " SETTINGS non_replicated_deduplication_window = 1000"
    )

    def send(batch: int) -> None:
        sql = f"INSERT INTO written FORMAT CSV\n{batch}\n"
        assert own_engine.ask(sql, insert_deduplication_token=f"batch {batch}").status == 200

    for batch in range(3):
        send(batch)
    own_engine.stop(signal.SIGKILL)
    [part] = (own_engine.data / "telemetry" / "store").glob("*/*/all_3_3_0")
    shutil.rmtree(part)
    own_engine.start()
    for batch in range(3):
        send(batch)
    assert own_engine.ask("SELECT groupArray(batch) FROM (SELECT batch FROM written ORDER BY 1)").body == b"[0,1,2]\n"
