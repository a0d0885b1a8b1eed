"""The embedded queue's file: order, ownership, and what comes back from the dead."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.core.broker import store as store_module
from quarterdeck.core.broker.store import Store, Taken


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    other = Store(tmp_path)
    yield other
    other.close()


def _take(store: Store, queue: str = "work") -> Taken:
    taken = store.take(queue)
    assert taken is not None
    return taken


def test_it_hands_out_the_oldest_first(store: Store) -> None:
    for body in ("a", "b", "c"):
        store.put(["work"], body)
    assert [_take(store).body for _ in range(3)] == ["a", "b", "c"]
    assert store.take("work") is None


def test_it_hands_out_a_higher_priority_first(store: Store) -> None:
    store.put(["work"], "low", priority=0)
    store.put(["work"], "high", priority=9)
    assert _take(store).body == "high"


def test_it_hands_a_message_to_one_consumer_only(store: Store, other: Store) -> None:
    store.put(["work"], "a")
    assert _take(store).body == "a"
    assert other.take("work") is None


def test_it_forgets_an_acknowledged_message(store: Store, other: Store) -> None:
    store.put(["work"], "a")
    store.acknowledge(_take(store).id)
    store.close()
    other.give_back_from_dead()
    assert other.take("work") is None


def test_another_consumer_cannot_acknowledge_it(store: Store, other: Store) -> None:
    store.put(["work"], "a")
    taken = _take(store)
    other.acknowledge(taken.id)
    store.give_back([taken.id])
    assert _take(other) == Taken(taken.id, "a", redelivered=True)


def test_it_gives_back_what_a_closed_consumer_held(store: Store, other: Store) -> None:
    store.put(["work"], "a")
    _take(store)
    store.close()
    assert _take(other).redelivered


def test_it_gives_back_what_a_killed_consumer_held(tmp_path: Path, store: Store) -> None:
    store.put(["work"], "a")
    code = (
        "import os, signal, sys; from pathlib import Path; from quarterdeck.core.broker.store import Store\n"
        "s = Store(Path(sys.argv[1])); assert s.take('work'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == -9
    assert store.take("work") is None
    # Any message wakes the consumers, and so finds the dead one.
    store.put(["other"], "b")
    assert _take(store) == Taken(1, "a", redelivered=True)


def test_a_forked_child_does_not_keep_its_dead_parent_alive(tmp_path: Path, store: Store) -> None:
    store.put(["work"], "a")
    code = (
        "import os, signal, sys, time; from pathlib import Path; from quarterdeck.core.broker.store import Store\n"
        "s = Store(Path(sys.argv[1])); assert s.take('work')\n"
        "if os.fork() == 0:\n    print('child', flush=True); time.sleep(30)\nelse:\n    time.sleep(0.5)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, start_new_session=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"child\n"
        assert run.wait() == -9
        store.give_back_from_dead()
        try:
            assert _take(store).redelivered
        finally:
            os.killpg(run.pid, 9)


def test_it_serves_on_in_parent_and_child_after_a_fork(tmp_path: Path, store: Store) -> None:
    store.put(["work"], "a")
    code = (
        "import os, sys; from pathlib import Path; from quarterdeck.core.broker.store import Store\n"
        "s = Store(Path(sys.argv[1])); held = s.take('work'); child = os.fork()\n"
        "if child == 0:\n    s.acknowledge(held.id); s.put(['from-child'], 'b'); os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert s.take('from-child').body == 'b'; s.give_back([held.id])\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    assert _take(store).body == "a"


def test_it_ends_the_queues_of_a_consumer_with_it(store: Store, other: Store) -> None:
    store.declare("reply", own=True, ttl_seconds=None)
    store.bind("replies", "key", "", "reply")
    other.put(["reply"], "a")
    store.close()
    assert not other.has_queue("reply")
    assert other.bindings("replies") == []
    assert other.size("reply") == 0


def test_it_drops_expired_messages(store: Store) -> None:
    store.declare("control", own=False, ttl_seconds=0.01)
    store.put(["control"], "a")
    time.sleep(0.02)
    store.give_back_from_dead()
    assert store.size("control") == 0


def test_it_wakes_a_waiting_consumer(store: Store, other: Store) -> None:
    mailbox = store.mailbox
    mailbox.silence()
    assert not mailbox.wait(0)
    other.put(["work"], "a")
    assert mailbox.wait(30)


def test_taking_one_of_many_reads_the_index_alone(store: Store) -> None:
    plan = store._connect().execute(f"EXPLAIN QUERY PLAN {store_module._FIRST_READY}", ("work",)).fetchall()
    assert [row[3] for row in plan] == ["SEARCH message USING INDEX message_ready (queue=?)"]
