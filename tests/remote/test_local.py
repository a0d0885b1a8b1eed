"""Commands on this machine: output, limits, who they run as, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.lab.parts import wait_until

from quarterdeck.core.errors import BadInput
from quarterdeck.remote import local
from quarterdeck.remote.local import LocalLimits
from quarterdeck.remote.running import Exit, Result, result_of
from quarterdeck.remote.scripts import Command

pytestmark = pytest.mark.slow
EVIL = 'it\'s "x" $(touch /tmp/qd-evil-local) `id` ; & | \\ \n two\t* ~ 汉 -rf'


def done(command: Command | str, **more: Any) -> Result:
    made = Command(command) if isinstance(command, str) else command
    return uvloop.run(result_of(local.run(made, **more)))


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_output_exit_code_and_signal_are_the_commands() -> None:
    found = done("echo out; echo err >&2; exit 7")
    assert (found.stdout, found.stderr, found.exit.code) == (b"out\n", b"err\n", 7)
    assert (found.exit.stdout_bytes, found.exit.stderr_bytes, found.exit.is_cut) == (4, 4, False)
    assert done("kill -KILL $$").exit.signal == "KILL"
    assert done("no-such-program").exit.code == 127
    every = bytes(range(256)) * 3000
    assert done(Command("cat", stdin=every)).stdout == every
    assert done(Command("exec <&-; echo x", stdin=every)).stdout == b"x\n", "nobody has to read the input"


def test_it_runs_on_the_plain_loop_too() -> None:
    assert asyncio.run(result_of(local.run(Command("echo x; exit 2")))).exit.code == 2


def test_arguments_variables_and_directories_are_no_code(tmp_path: Path) -> None:
    assert done(Command.of(["printf", "%s", EVIL])).stdout.decode() == EVIL
    home = tmp_path / EVIL.replace("/", "_")
    home.mkdir()
    found = done(Command('printf %s "$A"; pwd', environment={"A": EVIL}, directory=str(home)))
    assert found.stdout.decode() == EVIL + str(home) + "\n"
    with pytest.raises(BadInput, match="No such file"):
        done(Command("true", directory=str(tmp_path / "none")))
    for wrong in (Command("a\0b"), Command("x", environment={"A=1;x": "y"}), Command("x", environment={"A": "\0"})):
        with pytest.raises(BadInput):
            done(wrong)
    assert not Path("/tmp/qd-evil-local").exists()


def test_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QD_SECRET_OF_OURS", "hidden")
    found = done(Command("env; ls -l /proc/self/fd | wc -l", environment={"ASKED": "for"})).stdout.decode()
    names = {line.partition("=")[0] for line in found.splitlines() if "=" in line}
    assert names - {"PWD", "SHLVL", "_"} == {"PATH", "HOME", "LANG", "USER", "LOGNAME", "ASKED"}
    assert int(found.splitlines()[-1]) <= 5, "no descriptor of ours came along"


def test_what_is_in_its_environment_stands_in_no_other_process() -> None:
    """The helper above it has neither the variable nor the text of the command."""
    script = "cat /proc/$PPID/environ /proc/$PPID/cmdline | tr '\\0' '\\n' | grep -c 'a sec[r]et' || true"
    assert done(Command(script, environment={"TOKEN": "a secret"})).stdout == b"0\n"


def test_much_output_is_counted_cut_and_never_all_in_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = done("head -c 200000000 /dev/zero; echo end >&2", max_bytes=1_000_000)
    assert (len(found.stdout), found.exit.stdout_bytes, found.exit.is_cut) == (1_000_000, 200_000_000, True)
    assert found.exit.code == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000, "KB more than before"


def test_its_time_is_over_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    """A child in a session of its own, a double fork, one that takes no SIGTERM, one that is stopped."""
    script = f"""
cd {tmp_path}
setsid sleep 301 & echo $! > a
(setsid sh -c 'sleep 302 & echo $! > b; wait' &)
sh -c 'trap "" TERM; echo $$ > c; while :; do sleep 0.1; done' &
sh -c 'echo $$ > d; kill -STOP $$' &
while [ ! -s a ] || [ ! -s b ] || [ ! -s c ] || [ ! -s d ]; do sleep 0.02; done
echo ready
sleep 303
"""
    began = time.monotonic()
    found = done(script, seconds=1)
    assert (found.exit.is_timed_out, found.exit.code, found.stdout) == (True, None, b"ready\n")
    pids = [int((tmp_path / name).read_text()) for name in "abcd"]
    assert all(is_gone(pid) for pid in pids)
    assert time.monotonic() - began > 1 + local.GRACE_SECONDS, "who takes no SIGTERM had its time"


def test_a_process_left_in_the_background_ends_with_the_command(tmp_path: Path) -> None:
    found = done(f"setsid sleep 300 & echo $! > {tmp_path}/pid; exit 4")
    assert found.exit.code == 4
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_who_leaves_ends_it(tmp_path: Path) -> None:
    async def story(leaves_by_cancel: bool) -> int:
        began = asyncio.Event()

        async def watch() -> None:
            async with aclosing(local.run(Command("setsid sleep 300 & echo $!; wait"))) as parts:
                async for part in parts:
                    assert not isinstance(part, Exit)
                    pids.append(int(part.data))
                    began.set()
                    if not leaves_by_cancel:
                        return

        pids: list[int] = []
        task = asyncio.create_task(watch())
        await began.wait()
        if leaves_by_cancel:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return pids[0]

    for leaves_by_cancel in (True, False):
        assert is_gone(uvloop.run(story(leaves_by_cancel)))


def test_a_worker_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    program = f"""
import asyncio
from quarterdeck.remote import local
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.running import result_of
asyncio.run(result_of(local.run(Command("setsid sleep 300 & echo $! > {tmp_path}/pid; sleep 300"))))
"""
    worker = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": "src"})
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), "the command")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_until(lambda: is_gone(int((tmp_path / "pid").read_text())), "the end of what it ran", 20)


def test_limits_bind(tmp_path: Path) -> None:
    assert done("ulimit -n; ulimit -c", limits=LocalLimits(open_files=77)).stdout == b"77\n0\n"
    eats = f"{sys.executable} -I -S -c 'bytearray(500_000_000)'"
    assert b"MemoryError" in done(eats, limits=LocalLimits(address_space_bytes=200 << 20)).stderr
    burns = done("while :; do :; done", limits=LocalLimits(cpu_seconds=1), seconds=60)
    assert burns.exit.signal == "XCPU"
    writes = done(f"head -c 1000000 /dev/zero > {tmp_path}/big", limits=LocalLimits(file_size_bytes=100_000))
    assert writes.exit.code != 0
    assert (tmp_path / "big").stat().st_size == 100_000


def test_it_runs_as_another_user() -> None:
    found = done("id -un; id -G; echo $HOME $USER; cat /etc/shadow", user="nobody")
    name, groups, rest = found.stdout.decode().splitlines()
    assert (name, rest.split()[1]) == ("nobody", "nobody")
    assert "0" not in groups.split(), "none of root's groups came along"
    assert found.exit.code == 1
    forks = done("for i in 1 2 3 4 5 6; do sleep 5 & done; wait", user="nobody", limits=LocalLimits(processes=3))
    assert b"fork" in found.stderr + forks.stderr
    with pytest.raises(BadInput, match="no account"):
        done("id", user="no-such-account")
