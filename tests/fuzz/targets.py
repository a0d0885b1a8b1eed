"""Every door for a stranger's bytes: those that the receivers' tests export, and the intake's own."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from quarterdeck.intake.http import Routes, _request, secret_of
from quarterdeck.intake.spool import frames
from quarterdeck.telemetry.decoding import decode
from quarterdeck.telemetry.loading import receivers
from quarterdeck.telemetry.receiving import Frame, Refused

Target = Callable[[bytes], object]
RECEIVERS = Path(__file__).parents[1] / "receivers"
# What a megabyte may cost at most, in this process's own time: against what grows with the square.
SECONDS_FOR_A_MEGABYTE = 30.0
_CONTENT_MAX_BYTES = 8 << 20


def targets() -> dict[str, dict[str, Target]]:
    """Return `{"loki": {"loki json": target}}`; the intake's own are under "intake"."""
    found = {path.parent.name: _exported(path) for path in sorted(RECEIVERS.glob("*/fuzzing.py"))}
    return {**found, "intake": _own()}


def _exported(path: Path) -> dict[str, Target]:
    spec = importlib.util.spec_from_file_location(f"fuzzing_{path.parent.name}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    exported: dict[str, Target] = module.fuzz_targets()
    return exported


def _own() -> dict[str, Target]:
    encodings = ("gzip", "deflate", "zstd", "snappy", "br", "gzip, br")
    return {
        **{f"decode {name}": _decoder(name) for name in encodings},
        "spool file": _spool_file,
        "router": _router(Routes(receivers())),
    }


def _decoder(encoding: str) -> Target:
    return lambda data: decode(data, encoding, _CONTENT_MAX_BYTES)


def _spool_file(data: bytes) -> None:
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        path = Path(file.name)
        whole = sum(len(b"".join(frames.encode(entry))) for entry in frames.read(path))
        assert whole == frames.whole_bytes(path)
        assert frames.tail(path) == data[whole:]


def _router(routes: Routes) -> Target:
    """The bytes are a path, a query and a header, with a NUL between them."""

    def look(data: bytes) -> None:
        path, query, header = [*data.split(b"\0"), b"", b""][:3]
        for text in (path.decode("latin-1"), "/" + path.decode(errors="replace")):
            list(routes.at(text, text))
        scope = {"headers": [(b"Authorization", header)], "query_string": query, "method": "POST"}
        secret_of(_request(scope))

    return look


def run(target: Target, data: bytes) -> None:
    """Raises what the target raises, but Refused; AssertionError when it takes too long."""
    before = time.process_time()
    try:
        found: Any = target(data)
        if isinstance(found, Iterator):
            list(found)
    except Refused:
        pass
    spent = time.process_time() - before
    allowed = SECONDS_FOR_A_MEGABYTE * max(1.0, len(data) / (1 << 20))
    assert spent < allowed, f"{len(data)} bytes took {spent:.1f} s"


@contextmanager
def frames_kept() -> Iterator[list[Frame]]:
    """Yield a list that gets every frame which is made meanwhile, whatever a target returns."""
    kept: list[Frame] = []
    made = Frame.__init__

    def note(self: Frame, *values: Any, **more: Any) -> None:
        made(self, *values, **more)
        kept.append(self)

    Frame.__init__ = note  # type: ignore[method-assign]
    try:
        yield kept
    finally:
        Frame.__init__ = made  # type: ignore[method-assign]
