"""What a fuzzer may throw bytes at."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.requests import request

from quarterdeck.telemetry.receivers.elasticsearch.bulk import take_bulk, take_document


def fuzz_targets() -> dict[str, Callable[[bytes], object]]:
    return {
        "elasticsearch bulk": lambda data: take_bulk(request(data, index="i")),
        "elasticsearch document": lambda data: take_document(request(data, index="i")),
    }
