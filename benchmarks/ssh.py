"""One command on 50, 100 and 200 real sshd: our pool, beside bare asyncssh, parallel-ssh and OpenSSH's ControlMaster.

The targets are addresses of loopback; their sshd share the machine, so that wall time is mostly theirs: the handshake
(cold) and the start of a process (warm). `BENCH_TARGETS=50` measures one size only, `BENCH_ROUNDS` sets the rounds.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import uvloop
from django.conf import settings
from tests.lab.parts import directory
from tests.lab.ssh_hosts import SshHost, ssh_host

from quarterdeck.remote.connecting import CIPHERS, KEY_EXCHANGES
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.pool import Limits, Pool
from quarterdeck.remote.running import result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.target import SignIn, Target

SIZES = [int(size) for size in os.environ.get("BENCH_TARGETS", "50,100,200").split(",")]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
COMMAND = "echo done"
AT_ONCE = 100
GOAL_RATIO = 1.3
# sshd listens on 16 sockets at most.
_ADDRESSES = 15


@dataclass(frozen=True, slots=True)
class Place:
    host: SshHost
    address: str


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the clock, and of this process and the clients that it started."""

    wall: float
    cpu: float


def _cpu_seconds() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


class Stopwatch:
    """Gathers the rounds of each contender and phase."""

    def __init__(self) -> None:
        self.rounds: dict[tuple[str, str], list[Took]] = {}

    async def timed(self, name: str, phase: str, work: Callable[[], Awaitable[int]], expected: int) -> None:
        gc.collect()
        wall, cpu = time.perf_counter(), _cpu_seconds()
        done = await work()
        took = Took(time.perf_counter() - wall, _cpu_seconds() - cpu)
        if done != expected:
            raise RuntimeError(f"{name}, {phase}: {done} of {expected} hosts answered")
        self.rounds.setdefault((name, phase), []).append(took)

    def median(self, name: str, phase: str) -> Took:
        rounds = self.rounds[(name, phase)]
        return Took(statistics.median(one.wall for one in rounds), statistics.median(one.cpu for one in rounds))


async def _each(places: Sequence[Place], one: Callable[[Place], Awaitable[bool]]) -> int:
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(place: Place) -> bool:
        async with gate:
            return await one(place)

    return sum(await asyncio.gather(*map(gated, places)))


async def _ours(watch: Stopwatch, places: Sequence[Place]) -> None:
    approved = {(place.address, place.host.port): [place.host.host_key] for place in places}
    keys = HostKeys.of(approved)
    async with Pool(Limits(opening_per_network=AT_ONCE)) as pool:

        async def one(place: Place) -> bool:
            target = Target(place.address, place.host.port, "ops", SignIn(private_key=place.host.key))
            async with pool.lease(target, keys) as connection:
                return (await result_of(run(connection, Command(COMMAND)))).stdout == b"done\n"

        for phase in ("cold", "warm"):
            await watch.timed("quarterdeck pool", phase, lambda: _each(places, one), len(places))


async def bare(watch: Stopwatch, places: Sequence[Place]) -> None:
    open_: dict[str, asyncssh.SSHClientConnection] = {}
    keys = {place.host.port: asyncssh.import_private_key(place.host.key) for place in places}

    async def one(place: Place) -> bool:
        if place.address not in open_:
            open_[place.address] = await asyncssh.connect(
                place.address, place.host.port, username="ops", known_hosts=None, config=None, agent_path=None,
                client_keys=[keys[place.host.port]], kex_algs=KEY_EXCHANGES, encryption_algs=CIPHERS, gss_auth=False,
                compression_algs=None,
            )  # fmt: skip
        return (await open_[place.address].run(COMMAND, encoding=None)).stdout == b"done\n"

    for phase in ("cold", "warm"):
        await watch.timed("asyncssh, bare", phase, lambda: _each(places, one), len(places))
    for connection in open_.values():
        connection.close()
    await asyncio.gather(*(connection.wait_closed() for connection in open_.values()))


async def _parallel(watch: Stopwatch, places: Sequence[Place], home: Path) -> None:
    from pssh.clients import ParallelSSHClient
    from pssh.config import HostConfig

    configs = []
    for place in places:
        key = home / f"{place.host.port}.key"
        if not key.exists():
            key.touch(0o600)
            key.write_text(place.host.key)
        configs.append(HostConfig(port=place.host.port, user="ops", private_key=str(key)))
    client = ParallelSSHClient(
        [place.address for place in places], host_config=configs, pool_size=AT_ONCE, allow_agent=False
    )

    async def work() -> int:
        output = client.run_command(COMMAND)
        client.join(output)
        return sum(list(one.stdout) == ["done"] for one in output)

    for phase in ("cold", "warm"):
        await watch.timed("parallel-ssh", phase, work, len(places))


async def _openssh(watch: Stopwatch, places: Sequence[Place], home: Path) -> None:
    """xargs -P50 over ssh with ControlMaster; its masters are ended afterwards."""
    listed = "\n".join(f"{place.host.port} {place.address} {place.host.home}/user" for place in places)
    words = (
        f"ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile={home}/known -o LogLevel=ERROR"
        f" -o KexAlgorithms=curve25519-sha256 -o ControlMaster=auto -o ControlPersist=60 -o ControlPath={home}/%C"
    )
    script = f'{words} -p "$0" -i "$2" ops@"$1"'

    async def work() -> int:
        command = ["xargs", "-P50", "-n3", "sh", "-c", f"{script} {COMMAND}"]
        done = await asyncio.to_thread(
            subprocess.run, command, input=listed, capture_output=True, text=True, check=False
        )
        return done.stdout.count("done")

    for phase in ("cold", "warm"):
        await watch.timed("OpenSSH ControlMaster", phase, work, len(places))
    ending = ["xargs", "-P50", "-n3", "sh", "-c", f"{script} -O exit 2>/dev/null"]
    await asyncio.to_thread(subprocess.run, ending, input=listed, text=True, check=False)


async def _rounds(watch: Stopwatch, places: Sequence[Place], home: Path) -> None:
    for _round in range(ROUNDS):
        await bare(watch, places)
        await _ours(watch, places)
        await _parallel(watch, places, home)
        await _openssh(watch, places, home)


def _print(watch: Stopwatch, size: int) -> None:
    for phase in ("cold", "warm"):
        bare = watch.median("asyncssh, bare", phase)
        for name in sorted({name for name, _phase in watch.rounds}):
            took = watch.median(name, phase)
            print(
                f"{size:>4} targets {phase} {name:<22} {took.wall:7.2f} s  {took.cpu / size * 1000:6.1f} ms client CPU"
                f" a host  {took.wall / bare.wall:5.2f}x bare"
            )
        ratio = watch.median("quarterdeck pool", phase).wall / bare.wall
        met = "met" if ratio <= GOAL_RATIO else "MISSED"
        print(f"{size:>4} targets {phase}: pool / bare {ratio:.2f}, goal {GOAL_RATIO}: {met}", flush=True)


def places_of(stack: ExitStack, count: int) -> list[Place]:
    """Start as many sshd as it takes for so many addresses."""
    places: list[Place] = []
    for number in range(-(-count // _ADDRESSES)):
        addresses = [f"127.1.{number}.{last}" for last in range(1, _ADDRESSES + 1)]
        host = stack.enter_context(ssh_host(*(f"ListenAddress {address}" for address in addresses)))
        places.extend(Place(host, address) for address in addresses)
    return places[:count]


def main() -> None:
    """Print a line for each size, phase and contender, and the ratio that is the goal."""
    settings.configure(USE_I18N=False)  # errors are sentences, in the language of the settings
    with ExitStack() as stack:
        home = stack.enter_context(directory())
        places = places_of(stack, max(SIZES))
        for size in SIZES:
            watch = Stopwatch()
            uvloop.run(_rounds(watch, places[:size], home))
            _print(watch, size)


if __name__ == "__main__":
    main()
