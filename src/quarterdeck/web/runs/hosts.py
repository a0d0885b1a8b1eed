"""What one host of a run printed: to read, to download, and beside another one's."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.core.streams import disposition, in_background
from quarterdeck.jobs.files.pulled import files_of, safe_name, still_kept
from quarterdeck.jobs.runs import output, queries
from quarterdeck.jobs.runs.models import Run, RunHost
from quarterdeck.web.formatting import visible
from quarterdeck.web.pages import PageRequest, page

_PAGE_BYTES = 256 << 10
_PIECES = 50
_COMPARED_BYTES = 128 << 10
_COMPARED_LINES = 2000
_KINDS = {"+": "add", "-": "remove", "@": "place"}


def _found(request: PageRequest, pk: int, host: int) -> tuple[Run, RunHost]:
    run = queries.run_of(request.actor, pk)
    return run, queries.host_of(request.actor, run, host)


@require_GET
@page("jobs.view")
def host(request: PageRequest, pk: int, host: int) -> HttpResponse:
    run, found = _found(request, pk, host)
    pieces, cursor = _pieces(found, _after(request.GET.get("from", "")))
    context = {"run": run, "host": found, "pieces": pieces, "cursor": cursor, "is_later": bool(request.GET.get("from"))}
    context |= {"files": files_of(found), "kept": still_kept(files_of(found))}
    return render(request, "web/runs/host.html", context)


def _after(text: str) -> tuple[int, int]:
    block, _dash, part = text.partition("-")
    is_one = block.isdecimal() and part.isdecimal() and len(block) < 10 and len(part) < 10
    return (int(block), int(part)) if is_one else (0, 0)


def _pieces(found: RunHost, after: tuple[int, int]) -> tuple[list[dict[str, str]], str]:
    """Return as much as a page bears, and where the next one begins."""
    shown: list[dict[str, str]] = []
    size = 0
    pieces = output.of_host(found, after, rows=_PIECES)
    for number, piece in enumerate(pieces):
        if shown and size + len(piece.body) > _PAGE_BYTES:
            return shown, _at(pieces[number - 1])
        size += len(piece.body)
        # One block may be longer than a page; the rest of it is in the download.
        shown.append({"stream": piece.stream, "text": visible(piece.body[: 4 * _PAGE_BYTES].decode(errors="replace"))})
    return shown, _at(pieces[-1]) if len(pieces) == _PIECES else ""


def _at(piece: output.Piece) -> str:
    return f"{piece.at[0]}-{piece.at[1]}"


@require_GET
@page("jobs.view")
def download(request: PageRequest, pk: int, host: int) -> HttpResponseBase:
    """The bytes as the host sent them, both streams in the order in which they came."""
    _run, found = _found(request, pk, host)
    answer = StreamingHttpResponse(in_background(_all(found)), content_type="application/octet-stream")
    answer["Content-Disposition"] = disposition(f"run-{pk}-{safe_name(found.name)}.txt")
    return answer


def _all(found: RunHost) -> Iterator[bytes]:
    at = (0, 0)
    while pieces := output.of_host(found, at, rows=_PIECES):
        yield b"".join(piece.body for piece in pieces)
        at = pieces[-1].at


@require_GET
@page("jobs.view")
def difference(request: PageRequest, pk: int, host: int) -> HttpResponse:
    """What a host printed otherwise than another one of the run, `?to=`."""
    run, found = _found(request, pk, host)
    to = request.GET.get("to", "")
    other = queries.host_of(request.actor, run, int(to) if to.isdecimal() and len(to) < 19 else 0)
    printed = output.of_hosts(run, [found.pk, other.pk], _COMPARED_BYTES)
    lines = _difference(printed.get(other.pk, {}), printed.get(found.pk, {}))
    context: dict[str, Any] = {"run": run, "host": found, "other": other, "lines": lines[:_COMPARED_LINES]}
    context["is_cut"] = len(lines) > _COMPARED_LINES
    return render(request, "web/runs/difference.html", context)


def _difference(before: dict[str, bytes], after: dict[str, bytes]) -> list[tuple[str, str]]:
    """Return `[("add", "+ line"), ("remove", "- line"), ("", "  line")]` of both streams."""
    found: list[tuple[str, str]] = []
    for stream in ("stdout", "stderr"):
        old, new = (one.get(stream, b"").decode(errors="replace").splitlines() for one in (before, after))
        # The first two lines name files.
        changed = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]
        found.extend((_KINDS.get(line[:1], ""), visible(line)) for line in changed)
    return found
