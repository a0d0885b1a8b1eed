"""End what a playbook left running on a host: all that carries its mark in the environment, and all below that.

Where Ansible is ended, what it had started by SSH goes on: it has no terminal, whose end would be its own.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Sequence

from quarterdeck.core.errors import OpsError
from quarterdeck.jobs.runners import Circumstances, Host
from quarterdeck.remote.errors import BecomeRefused
from quarterdeck.remote.running import result_of, run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.target import Patience

log = logging.getLogger(__name__)
_SECONDS = 30
_AT_ONCE = 50
# Another user's, below sudo say, are found as children; only who may become that user ends them.
# The mark does not stand here as a whole: sudo puts the command into its environment.
_SCRIPT = """
name={name}
find_all() {{
    all=" $(grep -l -F "$name={value}" /proc/[0-9]*/environ 2>/dev/null | tr -dc '0-9\\n' | tr '\\n' ' ')"
    [ "$all" != " " ] || return 1
    tree=$(ps -eo pid= -o ppid=)
    more=1
    while [ "$more" = 1 ]; do
        more=0
        while read -r pid parent; do
            case $all in *" $pid "*) continue ;; esac
            case $all in *" $parent "*) all="$all$pid " more=1 ;; esac
        done <<EOF
$tree
EOF
    done
}}
find_all || exit 0
kill -s TERM $all 2>/dev/null
i=0
while find_all; do
    i=$((i + 1))
    [ "$i" -gt 15 ] && kill -s KILL $all 2>/dev/null
    [ "$i" -gt 25 ] && exit 1
    sleep 0.2 2>/dev/null || sleep 1
done
"""


async def end_all(hosts: Sequence[Host], mark: str, around: Circumstances) -> list[Host]:
    """Return the hosts on which something may still run."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(host: Host) -> bool:
        async with gate:
            try:
                async with asyncio.timeout(_SECONDS):
                    return await _end(host, mark, around)
            except (OpsError, TimeoutError) as error:
                log.warning("what a playbook left on %s may still run: %s", host.name, error)
                return False

    ended = await asyncio.gather(*map(one, hosts))
    return [host for host, is_ended in zip(hosts, ended, strict=True) if not is_ended]


async def _end(host: Host, mark: str, around: Circumstances) -> bool:
    name, _equals, value = mark.partition("=")
    command = Command(_SCRIPT.format(name=shlex.quote(name), value=value))
    patience = Patience(run=_SECONDS)
    async with around.pool.lease(host.target, around.host_keys, Patience()) as connection:
        try:
            done = await result_of(run(connection, command, become=host.become, patience=patience))
        except BecomeRefused:
            # Then the playbook became nobody else either, but for what the host allows it alone.
            done = await result_of(run(connection, command, patience=patience))
    return done.exit.code == 0
