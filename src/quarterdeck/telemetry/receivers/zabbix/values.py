"""Values of agents and senders: numbers become samples, text becomes lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.telemetry.canonical import (
    LogRow,
    MetricRow,
    frame_of_logs,
    frame_of_metrics,
    frame_of_samples,
    line_of_sample,
    series_head,
)
from quarterdeck.telemetry.mapping import NEWEST_HOURS, OLDEST_DAYS
from quarterdeck.telemetry.receivers.zabbix import keys
from quarterdeck.telemetry.receivers.zabbix.catalogue import Catalogue, found_in
from quarterdeck.telemetry.receivers.zabbix.memory import Memory, Series
from quarterdeck.telemetry.receiving import Frame, Refused

HOST_MAX_CHARACTERS = 255
_OLDEST_MS = OLDEST_DAYS * 86_400_000
_NEWEST_MS = NEWEST_HOURS * 3_600_000
_NOT_SUPPORTED = 1
# Windows' kinds of events. See https://www.zabbix.com/documentation/current/en/manual/config/items/itemtypes/zabbix_agent/win_keys
_SEVERITIES = {1: "info", 2: "warning", 4: "error", 7: "info", 8: "error", 9: "fatal", 10: "trace"}


@dataclass
class Batch:
    """What one message holds, sorted. `learnt` is done once the frames are durable."""

    samples: list[bytes] = field(default_factory=list)
    metrics: list[MetricRow] = field(default_factory=list)
    logs: list[LogRow] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    learnt: list[Callable[[], None]] = field(default_factory=list)

    def refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def frames(self) -> list[Frame]:
        found = []
        if self.samples:
            found.append(frame_of_samples(self.samples))
        if self.metrics:
            found.append(frame_of_metrics(self.metrics))
        if self.logs:
            found.append(frame_of_logs(self.logs))
        return found


class Reader:
    """Reads values into batches."""

    def __init__(self, memory: Memory, catalogue: Catalogue) -> None:
        self._memory = memory
        self._parameters = catalogue.parameters
        self._texts = frozenset(catalogue.texts)
        self._discoveries = catalogue.discoveries

    def read(self, values: Sequence[Any], host: str, now_ns: int) -> Batch:
        """Sort values, `[{"host", "key", "value", "clock", "ns", ...}]`; those without a host are of `host`."""
        batch = Batch()
        now_ms = now_ns // 1_000_000
        for value in values:
            try:
                self._read(batch, value, host, now_ns, now_ms)
            except Refused as error:
                batch.refuse(error.reason)
            except (KeyError, TypeError, ValueError, OverflowError):
                batch.refuse("bad_value")
        return batch

    def _read(self, batch: Batch, value: Mapping[str, Any], default_host: str, now_ns: int, now_ms: int) -> None:
        if not isinstance(value, dict):
            raise TypeError("a value is a JSON object")
        host = value.get("host") or default_host
        key = value.get("key") or self._key_of(value["itemid"])
        series = self._memory.series.get((host, key))
        if series is None or series.told is not self._memory.identities.get(host):
            series = self._series(host, key)
        clock = value.get("clock")
        if clock is None:
            at_ns, at_ms = now_ns, now_ms
        else:
            at_ns = int(clock) * 1_000_000_000 + int(value.get("ns") or 0)
            at_ms = at_ns // 1_000_000
            if not now_ms - _OLDEST_MS < at_ms < now_ms + _NEWEST_MS:
                raise Refused("this is too old or in the future", reason="bad_clock")
        text = value["value"]
        if series.head and value.get("state") != _NOT_SUPPORTED:
            number = number_of(text)
            if number is not None:
                batch.samples.append(line_of_sample(series.head, at_ms, number))
                return
        self._read_text(batch, value, host, key, series.name, at_ns)

    def _series(self, host: Any, key: Any) -> Series:
        if not isinstance(host, str) or not isinstance(key, str):
            raise Refused("a host and a key are text", reason="bad_value")
        if not 0 < len(host) <= HOST_MAX_CHARACTERS or not host.isprintable():
            raise Refused("a host's name has 1 to 255 characters that print", reason="bad_host")
        name, parameters = keys.parse(key)
        told = self._memory.identities.get(host)
        head = b""
        if name not in self._texts:
            labels = {"host": host, **keys.labels_of(parameters, self._parameters.get(name, ()))}
            head = series_head(keys.metric_of(name), labels, self._memory.sender_of(host))
        series = Series(name, head, told)
        self._memory.series.set((host, key), series)
        return series

    def _key_of(self, item: Any) -> str:
        """From 7.0 on agents send an item's number instead of its key."""
        key = self._memory.keys.get(int(item))
        if key is None:
            raise Refused("nobody was told of an item of this number", reason="unknown_item")
        return key

    def _read_text(self, batch: Batch, value: Mapping[str, Any], host: str, key: str, name: str, at_ns: int) -> None:
        text = str(value["value"])
        if value.get("state") == _NOT_SUPPORTED:
            self._add_line(
                batch, host, key, name, at_ns, f"{key}: {text}", "warning", {"zabbix.state": "not supported"}
            )
            return
        if key in self._discoveries:
            found = found_in(text)
            batch.learnt.append(lambda: self._memory.found.set((host, key), found))
            batch.metrics.append(
                MetricRow(
                    f"{keys.metric_of(name)}_found",
                    {"host": host},
                    [(at_ns // 1_000_000, float(len(found)))],
                    self._memory.sender_of(host),
                )
            )
            return
        if "lastlogsize" in value:
            position = int(value["lastlogsize"]), int(value.get("mtime") or 0)
            batch.learnt.append(lambda: self._memory.positions.set((host, key), position))
        if "value" in value and value["value"] is not None:
            level = _SEVERITIES.get(int(value.get("severity") or 0), "")
            attributes = {f"zabbix.{one}": str(value[one]) for one in ("source", "eventid") if value.get(one)}
            self._add_line(batch, host, key, name, at_ns, text, level, attributes)

    def _add_line(
        self, batch: Batch, host: str, key: str, name: str, at_ns: int, text: str, level: str, more: Mapping[str, str]
    ) -> None:
        batch.logs.append(
            LogRow(
                at_ns,
                text,
                host=host,
                component=name,
                level=level,
                attributes={"zabbix.key": key, **more},
                resource={"host.name": host},
                sender=self._memory.sender_of(host),
            )
        )


def number_of(value: Any) -> float | None:
    """Return a value that Zabbix takes as a number: decimal, finite. None for text."""
    if isinstance(value, str):
        # float() takes more than Zabbix: digits of other scripts, underscores.
        if not value.isascii() or "_" in value:
            return None
        try:
            number = float(value)
        except ValueError:
            return None
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    else:
        return None
    return number if math.isfinite(number) else None
