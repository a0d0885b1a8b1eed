"""Prometheus' own acceptance scripts, on a real engine. See acceptance/NOTICE for where they come from.

More scripts of the same language: `QD_PROMQL_SCRIPTS=/folder make test-promql`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.promql.judging import empty, kept_for_ever, run
from tests.telemetry.engines import Engine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
_OWN = Path(__file__).parent / "acceptance"


def _scripts() -> list[Path]:
    folders = [_OWN, _OWN.parent / "cases", *map(Path, filter(None, [os.environ.get("QD_PROMQL_SCRIPTS")]))]
    return [path for folder in folders for path in sorted(folder.glob("*.test"))]


@pytest.fixture(scope="module")
def scripted(engine: Engine) -> Iterator[Engine]:
    """An engine that keeps samples of 1970, which the scripts are about."""
    with kept_for_ever("samples", "series", "labels"):
        empty()
        yield engine
        empty()


@pytest.mark.parametrize("path", _scripts(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_script(path: Path, scripted: Engine, record_property: pytest.RecordProperty) -> None:
    verdict = run(path)
    record_property("passed", verdict.passed)
    record_property("not supported", "\n".join(verdict.not_supported))
    assert not verdict.failures, "\n".join(verdict.failures)
    assert verdict.passed
