"""What all commands that work on hosts have in common: which hosts, in which way, and how the run is watched."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from quarterdeck.cli.client import Client
from quarterdeck.cli.output import Format, note, safe, write, write_rows
from quarterdeck.core.durations import seconds_of
from quarterdeck.core.errors import BadInput, Unavailable

COLUMNS = ("name", "status", "exit_code", "seconds", "error")
EXIT_FAILED, EXIT_UNREACHABLE, EXIT_ENDED = 2, 3, 4
_COLOURS = {"ok": "green", "changed": "yellow", "failed": "red", "unreachable": "red", "lost": "magenta"}
After = Callable[[Mapping[str, Any]], None]
_ROWS = ("item", "name", "status", "exit_code", "stdout", "stderr", "seconds", "error", "values")


@dataclass(frozen=True, slots=True)
class Ways:
    """The options of every such command."""

    query: Annotated[str, typer.Option("--query", "-q", help="Hosts to work on: type:host env:lab", show_default=False)]
    credential: Annotated[str, typer.Option("--credential", help="Credential instead of the attached ones.")] = ""
    become: Annotated[bool, typer.Option("--become", help="Become another user: root by sudo, unless attached.")] = (
        False
    )
    accept_new_host_keys: Annotated[
        bool, typer.Option("--accept-new-host-keys", help="Take the keys that hosts show at first contact.")
    ] = False
    timeout: Annotated[str, typer.Option("--timeout", help="Time for each host: 30s, 5m, 2h.")] = ""
    batch: Annotated[str, typer.Option("--batch", help="Sizes of batches, one after the other: 1,10%,50%")] = ""
    pause: Annotated[bool, typer.Option("--pause", help="Wait for `qd runs resume` after the first batch.")] = False
    max_fail: Annotated[str, typer.Option("--max-fail", help="Stop when more of a batch failed: 5% or 3.")] = ""
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Hosts at the same time.")] = 200
    check: Annotated[bool, typer.Option("--check", help="Only tell what would change, where the runner can.")] = False
    repeatable: Annotated[
        bool, typer.Option("--repeatable", help="May be done again on a host where a worker died on it.")
    ] = False
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")] = ""
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait; print the run.")] = False

    def body(self) -> dict[str, Any]:
        """Return the options as the API takes them. Raises BadInput."""
        return {
            "query": self.query,
            "credential": self.credential,
            "becomes": self.become,
            "accepts_new_host_keys": self.accept_new_host_keys,
            "timeout_seconds": _seconds(self.timeout) if self.timeout else None,
            "batch": self.batch,
            "pauses_after_first": self.pause,
            "max_fail": self.max_fail,
            "at_once": self.at_once,
            "is_check": self.check,
            "is_repeatable": self.repeatable,
            "reason": self.reason,
        }


def ways_of(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Ways`; it gets them as its first argument."""
    hints = get_type_hints(Ways, include_extras=True)
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(parameter, "default", inspect.Parameter.empty),
            annotation=hints[name],
        )
        for name, parameter in inspect.signature(Ways).parameters.items()
    ]
    own = get_type_hints(command, include_extras=True)
    rest = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=own[one.name])
        for one in list(inspect.signature(command).parameters.values())[1:]
    ]

    @wraps(command)
    def with_ways(**given: Any) -> None:
        ways = Ways(**{parameter.name: given.pop(parameter.name) for parameter in added})
        command(ways, **given)

    # Typer reads both.
    with_ways.__dict__["__signature__"] = inspect.Signature([*rest, *added])
    with_ways.__annotations__ = {one.name: one.annotation for one in (*rest, *added)}
    del with_ways.__wrapped__
    return with_ways


def _seconds(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError:
        raise BadInput(f'"{text}" is no time', hint="--timeout 30s") from None


def work_off(
    client: Client, runner: str, work: Mapping[str, Any], ways: Ways, output: Format, after: After | None = None
) -> None:
    """Start a run and watch it to its end, do what comes `after`. Ends the command with the run's exit code."""
    run = client.send("POST", "/runs", {"runner": runner, "work": dict(work), **ways.body()})
    if ways.detach:
        write_rows([run], output, ("id", "state", "title"))
        return
    watch(client, run, output, after)


def watch(client: Client, run: Mapping[str, Any], output: Format, after: After | None = None) -> None:
    """Follow a run to its end, print what its hosts did, and end the command with the run's exit code."""
    if output is Format.TABLE:
        note(f"run {run['id']}: {safe(run['title'])}")
        run = _streamed(client, run)
    else:
        run = _awaited(client, run)
        _print(client, run, output)
    if after is not None:
        after(run)
    raise typer.Exit(exit_code(run))


def exit_code(run: Mapping[str, Any]) -> int:
    """Return 0 when all hosts are ok, 2 when some failed, 3 when some could not be reached, 4 when it was ended."""
    counts = run["counts"]
    if counts.get("failed") or counts.get("lost"):
        return EXIT_FAILED
    if counts.get("unreachable"):
        return EXIT_UNREACHABLE
    return 0 if run["state"] in ("succeeded", "failed", "paused") else EXIT_ENDED


def _events(client: Client, run: Mapping[str, Any], *, with_output: bool) -> Iterator[dict[str, Any]]:
    yield from (
        event for event in client.events(f"/runs/{run['id']}/events", {"with_output": with_output}) if event
    )  # fmt: skip


def _awaited(client: Client, run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the run as it ended; a stream that breaks off is opened again."""
    while not run["ended_at"]:
        try:
            for event in _events(client, run, with_output=False):
                if event["kind"] == "run":
                    run = event["run"]
                    _tell_pause(run)
        except Unavailable as error:
            note(f"{error.message}; going on when it answers again")
            run = _again(client, run)
    return run


def _again(client: Client, run: Mapping[str, Any]) -> Mapping[str, Any]:
    import time

    for _ in range(60):
        time.sleep(1)
        try:
            found: Mapping[str, Any] = client.get(f"/runs/{run['id']}")
        except Unavailable:
            continue
        return found
    raise Unavailable("the instance does not come back", hint=f"qd runs show {run['id']}")


def _streamed(client: Client, run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Print lines as hosts print them, each below its host's name, and at the end how many hosts did what."""
    for event in _events(client, run, with_output=True):
        if event["kind"] == "output":
            _print_output(event)
        elif event["kind"] == "host":
            _print_host(event["host"])
        else:
            run = event["run"]
            _tell_pause(run)
    counts = ", ".join(f"{number} {status}" for status, number in run["counts"].items())
    note(f"run {run['id']} {run['state']}: {counts}")
    return run


def _tell_pause(run: Mapping[str, Any]) -> None:
    if run["state"] == "paused":
        note(f"run {run['id']} is paused; `qd runs resume {run['id']}` goes on")
    elif run["state"] == "approval":
        rules = ", ".join(f'"{one["rule"]}"' for one in run["asked"] if one["asks"] == "approval")
        note(f"run {run['id']} waits: {rules} asks for a second person: `qd runs approve {run['id']}`")


def _print_output(event: Mapping[str, Any]) -> None:
    sign = "|" if event["stream"] == "stdout" else "!"
    for line in event["text"].splitlines():
        write(f"{safe(event['name'])} {sign} {safe(line)}\n")
    sys.stdout.flush()


def _print_host(host: Mapping[str, Any]) -> None:
    code = "" if host["exit_code"] is None else f" exit {host['exit_code']}"
    took = "" if host["seconds"] is None else f" {host['seconds']:.1f} s"
    status = host["status"]
    if sys.stderr.isatty():
        status = typer.style(status, fg=_COLOURS.get(status))
    error = f": {safe(host['error'])}" if host["error"] else ""
    note(f"{safe(host['name'])} {status}{code}{took}{error}")


def _print(client: Client, run: Mapping[str, Any], output: Format) -> None:
    hosts = client.rows(f"/runs/{run['id']}/hosts", {"with_output": True})
    rows = ({name: host[name] for name in _ROWS} for host in hosts)
    if output is Format.JSON:
        _print_json(run, rows)
    else:
        write_rows(rows, output, (*COLUMNS, "stdout", "stderr"))


def _print_json(run: Mapping[str, Any], rows: Iterator[dict[str, Any]]) -> None:
    """Print `{"run", "state", "hosts": [...]}` host by host: their output may be long."""
    import json

    write(f'{{"run": {run["id"]}, "state": {json.dumps(run["state"])}, "hosts": [')
    separator = "\n"
    for row in rows:
        write(f"{separator}{json.dumps(row)}")
        separator = ",\n"
    write("\n]}\n")
