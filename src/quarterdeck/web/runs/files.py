"""Files that a run pulled from hosts, as downloads."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.views.decorators.http import require_GET

from quarterdeck.core.streams import attachment
from quarterdeck.jobs.files import archive, pulled
from quarterdeck.web.pages import PageRequest, page


@require_GET
@page("jobs.view")
def one(request: PageRequest, pk: int, host: int, file: int) -> HttpResponseBase:
    found, blocks = pulled.download(request.actor, pk, host, file)
    return attachment(blocks, pulled.file_name(found), size_bytes=found.size_bytes)


@require_GET
@page("jobs.view")
def all_(request: PageRequest, pk: int) -> HttpResponseBase:
    return attachment(pulled.download_all(request.actor, pk), f"run-{pk}.tar", archive.MEDIA_TYPE)
