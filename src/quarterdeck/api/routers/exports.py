"""Items as files that import again unchanged."""

from __future__ import annotations

from tempfile import TemporaryFile

from django.http import FileResponse, HttpRequest
from ninja import Router

from quarterdeck.api.auth import identify
from quarterdeck.api.description import file_answer
from quarterdeck.api.shapes import Line, UrlQuery
from quarterdeck.core.clock import now
from quarterdeck.inventory.exchange.detect import format_named, formats
from quarterdeck.inventory.exchange.exporting import export

router = Router()
_FILE = file_answer(*(known.media_type for known in formats().values()))


@router.get("/exports/items", response={200: None}, openapi_extra=_FILE)
def items(request: HttpRequest, q: UrlQuery = "", format: Line = "csv") -> FileResponse:  # noqa: A002 - on the wire
    """Answer the items that a query selects as a file: csv, xlsx, json, yaml, ansible, ssh_config or etc_hosts.

    The file is complete before its first byte is sent, so that a failure is an error and never half a file.
    """
    chosen = format_named(format)
    file = TemporaryFile()  # noqa: SIM115 - the answer closes it after the last byte
    try:
        export(identify(request), q, format, file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    suffix = chosen.suffixes[0] if chosen.suffixes else ""
    return FileResponse(
        file,
        content_type=chosen.media_type,
        as_attachment=True,
        filename=f"items-{now():%Y%m%d-%H%M%S}{suffix}",
    )
