"""The files of a host: a directory, one file to download, one to upload."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from quarterdeck.core.errors import OpsError
from quarterdeck.core.streams import disposition
from quarterdeck.inventory import queries
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.browsing import actions
from quarterdeck.jobs.files.pulled import safe_name
from quarterdeck.remote.files.browsing import Entry, Listing
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.items.heads import head
from quarterdeck.web.pages import PageRequest, page


class UploadForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("File"))
    replaces = forms.BooleanField(label=gettext_lazy("Replace a file of this name"), required=False)


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as the page shows it; `url` is "" where there is nothing to open, `download` where nothing to read."""

    entry: Entry
    name: str
    mode: str
    url: str
    download: str


@require_http_methods(["GET", "HEAD", "POST"])
@page("jobs.files")
def files(request: PageRequest, pk: int) -> HttpResponseBase:
    """A directory, `?path=`; the one of the account that signs in without. A file that is sent goes into it."""
    item = queries.get_item(request.actor, pk)
    path = request.GET.get("path") or "."
    form = UploadForm(*posted(request))
    if form.is_valid():
        file = form.cleaned_data["file"]
        with errors_into(form):
            replaces = form.cleaned_data["replaces"]
            done = actions.upload_file(request.actor, item, path, file.name, _source(file), replaces=replaces)
            messages.success(request, _("%(path)s is there.") % {"path": done.path})
            return redirect(_url(item, path))
    context = head(request, item, "files") | {"form": form, "path": path} | _directory(request, item, path)
    return render(request, "web/items/files.html", context, status=form_status(form))


def _source(file: UploadedFile[bytes]) -> bytes | Path:
    """Return what Django kept of an upload: in memory where it is small, else in a file."""
    return Path(file.temporary_file_path()) if isinstance(file, TemporaryUploadedFile) else file.read()


def _directory(request: PageRequest, item: Item, path: str) -> dict[str, Any]:
    """Return the entries and the way to them; that the host does not show them is said on the page."""
    try:
        listing = actions.list_directory(request.actor, item, path)
    except OpsError as error:
        return {"trouble": error, "may_approve": error.code.startswith("host_key")}
    # What a link leads to may have a name that no address can hold.
    real = listing.path if _is_utf8(listing.path) else path
    return {
        "path": real,
        "parts": _parts(item, real),
        "rows": [_row(item, listing, entry) for entry in listing.entries],
        "is_cut": listing.is_cut,
    }


def _parts(item: Item, path: str) -> list[tuple[str, str]]:
    """Return `[("/", url), ("etc", url), ...]` of an absolute path."""
    names = [name for name in path.split("/") if name]
    return [
        ("/", _url(item, "/")),
        *((name, _url(item, "/" + "/".join(names[: at + 1]))) for at, name in enumerate(names)),
    ]


def _row(item: Item, listing: Listing, entry: Entry) -> Row:
    mode = stat.filemode(entry.mode)[1:]
    name = entry.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not _is_utf8(entry.name) or not _is_utf8(listing.path):
        return Row(entry, name, mode, "", "")
    path = f"{listing.path.rstrip('/')}/{entry.name}"
    is_readable = entry.kind in ("file", "link")
    download = f"{reverse('web:item_file_download', args=[item.pk])}?{urlencode({'path': path})}"
    # A link may lead to either.
    return Row(
        entry,
        name,
        mode,
        _url(item, path) if entry.kind in ("directory", "link") else "",
        download if is_readable else "",
    )


def _is_utf8(name: str) -> bool:
    """Whether an address can hold the name: what is no UTF-8 on the host is a surrogate in it."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _url(item: Item, path: str) -> str:
    return f"{reverse('web:item_files', args=[item.pk])}?{urlencode({'path': path})}"


@require_GET
@page("jobs.files")
def download(request: PageRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
    item = queries.get_item(request.actor, pk)
    path = request.GET.get("path", "")
    headers = {"Content-Disposition": disposition(safe_name(path.rpartition("/")[2]))}
    # The last that may fail: what is begun is let go of by the answer.
    found = actions.download_file(request.actor, item, path)
    return StreamingHttpResponse(found, content_type="application/octet-stream", headers=headers)
