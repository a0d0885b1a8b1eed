"""The files of an upload: an artifact bundle, which is a ZIP with a manifest, or a plain ZIP of what a build made.

    {"files": {"files/_/_/app.js": {"url": "~/app.js", "type": "minified_source",
                                    "headers": {"debug-id": "681b999e-...", "sourcemap": "app.js.map"}}}}

Nothing of it is written to disk under its name: names are texts of the records. Sizes are those that come out, not
those that the ZIP claims. See https://docs.rs/symbolic-debuginfo/latest/symbolic_debuginfo/sourcebundle/
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any
from uuid import UUID

import orjson
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.errors.models import BundleFile

FILES_MAX = 5000
FILE_MAX_BYTES = 40 << 20
CONTENT_MAX_BYTES = 400 << 20
_MANIFEST, _MANIFEST_MAX_BYTES = "manifest.json", 8 << 20
_PROGRAMS = (".js", ".mjs", ".cjs", ".jsbundle", ".bundle")
_REFERENCE = re.compile(rb"//[#@] ?sourceMappingURL=([^\s'\"]{1,1000})")
_DEBUG_ID = re.compile(rb"//# ?debugId=([0-9a-fA-F-]{32,36})")
# References stand at the end of a program.
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file. `debug_id` and `source_map`, the address of its map, are "" where nobody says."""

    url: str
    kind: str
    debug_id: str
    source_map: str
    content: bytes


def unpacked(file: IO[bytes], prefix: str = "~/") -> Iterator[Unpacked]:
    """Yield the files of a ZIP; `prefix` begins the addresses of one without a manifest. Raises BadInput."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield from _files(archive, prefix)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise BadInput(
            _("The upload is no ZIP that can be read: %(error)s") % {"error": str(error)[:200]},
            hint=_("Send an artifact bundle, or a ZIP of the files that the build made."),
        ) from error


def _files(archive: zipfile.ZipFile, prefix: str) -> Iterator[Unpacked]:
    infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    if len(infos) > FILES_MAX:
        raise BadInput(
            _("An upload has at most %(limit)d files.") % {"limit": FILES_MAX}, hint=_("Upload it in parts.")
        )
    manifest = _manifest(archive, infos)
    left_bytes = CONTENT_MAX_BYTES
    for name, info in infos.items():
        if name == _MANIFEST or (manifest is not None and name not in manifest):
            continue
        content = _read(archive, info, min(FILE_MAX_BYTES, left_bytes))
        left_bytes -= len(content)
        if manifest is None:
            if kind_of(name) != BundleFile.Kind.OTHER:
                yield plain(prefix + name, content)
        else:
            yield _told(manifest[name], name, content)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit_bytes: int) -> bytes:
    with archive.open(info) as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise BadInput(
            _("%(name)s is too large: a file has at most %(file)d MB, an upload %(all)d MB of them.")
            % {"name": info.filename[:100], "file": FILE_MAX_BYTES >> 20, "all": CONTENT_MAX_BYTES >> 20},
            hint=_("Upload fewer files at once."),
        )
    return content


def _manifest(archive: zipfile.ZipFile, infos: Mapping[str, zipfile.ZipInfo]) -> dict[str, Mapping[str, Any]] | None:
    """Return `{name in the ZIP: what is told of it}`, None without a manifest."""
    if _MANIFEST not in infos:
        return None
    try:
        found = orjson.loads(_read(archive, infos[_MANIFEST], _MANIFEST_MAX_BYTES))
        return {str(name): dict(told) for name, told in found["files"].items()}
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise BadInput(_("The bundle's manifest cannot be read."), hint=_("sentry-cli makes such bundles.")) from None


def _told(told: Mapping[str, Any], name: str, content: bytes) -> Unpacked:
    raw = told.get("headers")
    headers = {str(key).lower(): str(value) for key, value in raw.items()} if isinstance(raw, dict) else {}
    found = plain(str(told.get("url") or name), content)
    return Unpacked(
        found.url,
        str(told["type"]) if told.get("type") in BundleFile.Kind.values else found.kind,
        as_debug_id(headers.get("debug-id", "")) or found.debug_id,
        reference_in(headers) or found.source_map,
        content,
    )


def reference_in(headers: Mapping[str, str]) -> str:
    """Return the address of a map that headers, by small names, tell, "" where they do not."""
    return (headers.get("sourcemap") or headers.get("x-sourcemap") or "").replace("\0", "")[:1000]


def plain(url: str, content: bytes) -> Unpacked:
    """Return a file with what it says of itself."""
    kind = kind_of(url)
    url = url.replace("\0", "")[:1000]
    if kind == BundleFile.Kind.MAP:
        return Unpacked(url, kind, _id_of_map(content), "", content)
    tail = content[-_TAIL_BYTES:]
    ids, references = _DEBUG_ID.findall(tail), _REFERENCE.findall(tail)
    reference = references[-1].decode("utf-8", "replace").replace("\0", "") if references else ""
    # A map inside the program is found there; it has no address.
    reference = "" if reference.startswith("data:") else reference
    return Unpacked(url, kind, as_debug_id(ids[-1].decode()) if ids else "", reference, content)


def kind_of(name: str) -> str:
    """Return what a file is, by its name."""
    bare = name.partition("?")[0].lower()
    if bare.endswith(".map"):
        return BundleFile.Kind.MAP
    return BundleFile.Kind.PROGRAM if bare.endswith(_PROGRAMS) else BundleFile.Kind.OTHER


def _id_of_map(content: bytes) -> str:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ""
    told = (found.get("debug_id") or found.get("debugId")) if isinstance(found, dict) else ""
    return as_debug_id(told) if isinstance(told, str) else ""


def as_debug_id(text: str) -> str:
    """Return a debug id as it is compared, "" for what is none."""
    try:
        return str(UUID(text)) if len(text) <= 36 else ""
    except ValueError:
        return ""
