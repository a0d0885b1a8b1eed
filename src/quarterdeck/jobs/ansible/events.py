"""What Ansible's events say of each host: lines for a person as they come, counts at the end. Pure.

    TASK [install nginx]
    changed
    --- before: /etc/nginx/nginx.conf
    +++ after: /etc/nginx/nginx.conf
    ...

See https://ansible.readthedocs.io/projects/runner/en/stable/intro/#runner-artifact-job-events-host-and-playbook-events
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote.sessions import Chunk, Stream

_OK = ("runner_on_ok", "runner_item_on_ok")
_FAILED = ("runner_on_failed", "runner_item_on_failed")
_SKIPPED = ("runner_on_skipped", "runner_item_on_skipped")
_UNREACHABLE = ("runner_on_unreachable",)
_RETRY = "runner_retry"
_START = "runner_on_start"
# What Ansible tells of each result beside what the module has to say.
_PLAIN = frozenset(
    """
    changed failed unreachable skipped stdout stdout_lines stderr stderr_lines msg rc start end delta cmd diff
    invocation warnings deprecations exception attempts retries ansible_loop_var item skip_reason false_condition
    skipped_reason failed_when_result _ansible_no_log _ansible_item_label censored results
    """.split()  # noqa: SIM905 - a page of words reads better than a list
)
# Modules whose answer is what they are called for.
_TELLING = ("debug", "assert", "fail", "pause", "ping", "stat", "command", "shell", "raw", "script")
_COUNTS = {
    "ok": "ok", "changed": "changed", "failures": "failed", "dark": "unreachable", "skipped": "skipped",
    "rescued": "rescued", "ignored": "ignored",
}  # fmt: skip
_MAX_DIFF_LINES = 2000
_MAX_TEXT = 4000


@dataclass(slots=True)
class _Host:
    task: str = ""
    task_uuid: object = None
    play: str = ""
    error: str = ""
    is_unreachable: bool = False
    exit_code: int | None = None
    counts: Counter[str] = field(default_factory=Counter)


class Reading:
    """The events of one playbook. With `tells_all` a module's whole answer is shown: it was called for that."""

    def __init__(self, *, tells_all: bool = False) -> None:
        self._tells_all = tells_all
        self._hosts: dict[str, _Host] = {}
        self.stats: dict[str, dict[str, int]] | None = None
        # What Ansible said that belongs to no host.
        self.said = ""
        self.has_begun = False
        self.missing = ""
        self.code: int | None = None

    def add(self, event: Mapping[str, Any]) -> Iterator[tuple[str, Chunk]]:
        """Take an event; yield `(host, what it says)`."""
        kind = event["event"]
        if kind == "text":
            self.said = f"{self.said}{event['text'].strip()}\n"[-_MAX_TEXT:]
        elif kind == "missing":
            self.missing = event["name"]
        elif kind == "end":
            self.code = event["code"]
        elif kind == "playbook_on_stats":
            self.stats = {ours: dict(event[theirs]) for theirs, ours in _COUNTS.items()}
        elif "host" in event:
            self.has_begun = True
            yield from self._told(str(event["host"]), kind, event)

    def _told(self, name: str, kind: str, event: Mapping[str, Any]) -> Iterator[tuple[str, Chunk]]:
        host = self._hosts.setdefault(name, _Host())
        result = event.get("res")
        result = result if isinstance(result, Mapping) else {}
        lines = [*_headers(host, event), *self._result(kind, event, result)]
        self._count(host, kind, event, result)
        if lines:
            yield name, Chunk(Stream.STDOUT, _bytes(lines))
        if errors := _lines_of(result.get("stderr")) if kind not in (_RETRY, _START) else []:
            yield name, Chunk(Stream.STDERR, _bytes(errors))

    def _result(self, kind: str, event: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
        item = _item(result)
        if kind in _OK:
            yield f"{'changed' if result.get('changed') else 'ok'}{item}"
        elif kind in _FAILED:
            yield f"failed{item}{' (ignored)' if event.get('ignore_errors') else ''}"
        elif kind in _SKIPPED:
            yield f"skipped{item}"
            return
        elif kind in _UNREACHABLE:
            yield f"unreachable: {_one_line(result.get('msg'))}"
            return
        elif kind == _RETRY:
            yield f"failed, tried again: {_one_line(result.get('msg'))}"
            return
        else:
            return
        # Told item by item before.
        if not event.get("has_items"):
            yield from self._detail(kind, event, result)

    def _detail(self, kind: str, event: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
        if "censored" in result:
            yield "  (no_log)"
            return
        yield from _diff(result.get("diff"))
        if kind in _FAILED or str(event.get("task_action", "")).rpartition(".")[2] in _TELLING or self._tells_all:
            yield from _message(result.get("msg"))
        if kind in _FAILED and (module_output := result.get("module_stdout")):
            yield from _lines_of(module_output)
        yield from _lines_of(result.get("stdout"))
        if self._tells_all or str(event.get("task_action", "")).rpartition(".")[2] == "debug":
            more = {
                name: value for name, value in result.items() if name not in _PLAIN and not name.startswith("_ansible")
            }
            if more:
                yield from json.dumps(more, indent=2, ensure_ascii=False, sort_keys=True).splitlines()

    def _count(self, host: _Host, kind: str, event: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        if kind == "runner_on_ok":
            host.counts.update(["ok", "changed"] if result.get("changed") else ["ok"])
        elif kind == "runner_on_skipped":
            host.counts["skipped"] += 1
        elif kind in _UNREACHABLE:
            host.counts["unreachable"] += 1
            host.is_unreachable, host.error = True, _one_line(result.get("msg"))
        elif kind == "runner_on_failed":
            host.counts["ignored" if event.get("ignore_errors") else "failed"] += 1
        if kind in _FAILED and not event.get("ignore_errors"):
            reason = _reason(result)
            # "One or more items failed" says less than the item did.
            if not (event.get("has_items") and host.error):
                host.error = f"{event.get('task') or ''}: {reason}".strip(": ")
            code = result.get("rc")
            host.exit_code = code if isinstance(code, int) and not isinstance(code, bool) else host.exit_code

    def status(self, name: str) -> HostStatus | None:
        """Return how a host ended by the stats; None for one that no play was for."""
        counts = self.counts(name)
        if not counts:
            return None
        if counts.get("unreachable"):
            return HostStatus.UNREACHABLE
        if counts.get("failed"):
            return HostStatus.FAILED
        return HostStatus.CHANGED if counts.get("changed") else HostStatus.OK

    def counts(self, name: str) -> dict[str, int]:
        """Return how many tasks ended how on a host: by the stats, else by what was seen so far."""
        if self.stats is None:
            return dict(self._hosts[name].counts) if name in self._hosts else {}
        return {kind: hosts[name] for kind, hosts in self.stats.items() if hosts.get(name)}

    def error(self, name: str) -> str:
        return self._hosts[name].error if name in self._hosts else ""

    def task(self, name: str) -> str:
        """Return the task that a host was at last."""
        return self._hosts[name].task if name in self._hosts else ""

    def exit_code(self, name: str) -> int | None:
        return self._hosts[name].exit_code if name in self._hosts else None


def _reason(result: Mapping[str, Any]) -> str:
    """Return why a task failed: the module's message and, since that says little of a command, its last words."""
    said = _lines_of(result.get("stderr")) or _lines_of(result.get("stdout"))
    parts = [_one_line(result.get("msg")).rstrip("."), _one_line(said[-1]) if said and "rc" in result else ""]
    return ": ".join(part for part in parts if part)


def _is_more(name: str) -> bool:
    return name not in _PLAIN and not name.startswith("_ansible")


def _headers(host: _Host, event: Mapping[str, Any]) -> Iterator[str]:
    play, task = str(event.get("play") or ""), str(event.get("task") or "")
    if play != host.play:
        host.play, host.task = play, ""
        yield f"PLAY [{_one_line(play)}]"
    # Tasks of one name may follow each other.
    if (task, event.get("task_uuid")) != (host.task, host.task_uuid):
        host.task, host.task_uuid = task, event.get("task_uuid")
        yield f"TASK [{_one_line(task)}]"


def _item(result: Mapping[str, Any]) -> str:
    variable = result.get("ansible_loop_var")
    if variable is None or variable not in result:
        return ""
    label = result.get("_ansible_item_label", result[variable])
    return f" (item={_one_line(label)})"


def _diff(found: Any) -> Iterator[str]:
    """Yield the lines of a module's `diff`, as `diff -u` has them."""
    for one in found if isinstance(found, list) else [found]:
        if not isinstance(one, Mapping):
            continue
        if "prepared" in one:
            yield from _lines_of(one["prepared"])
            continue
        before, after = _whole(one.get("before")), _whole(one.get("after"))
        old, new = (f"{name}: {one.get(f'{name}_header') or ''}".strip(" :") for name in ("before", "after"))
        lines = difflib.unified_diff(before, after, old, new, lineterm="")
        yield from (line for line, _number in zip(lines, range(_MAX_DIFF_LINES), strict=False))


def _whole(value: Any) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return [] if value in (None, "") else text.splitlines()


def _message(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.splitlines()
    elif value is not None:
        yield from json.dumps(value, indent=2, ensure_ascii=False).splitlines()


def _lines_of(value: Any) -> list[str]:
    return value.splitlines() if isinstance(value, str) else []


def _one_line(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split())[:500]


def _bytes(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="replace")
