"""Requests for tests of a receiver's `take` without a server, and what its own fuzzing module holds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from quarterdeck.telemetry.receiving import Request

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def request(body: bytes, content_type: str = "", **path: str) -> Request:
    headers = {"content-type": content_type} if content_type else {}
    return Request("POST", path, {"service": "s"}, headers, body, "192.0.2.7", NOW)


def targets_beside(test: str) -> dict[str, Callable[[bytes], object]]:
    """Return the fuzz targets of the directory in which the file `test` is."""
    file = Path(test).with_name("fuzzing.py")
    spec = importlib.util.spec_from_file_location(f"fuzzing_{file.parent.name}", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Callable[[bytes], object]] = module.fuzz_targets()
    return found
