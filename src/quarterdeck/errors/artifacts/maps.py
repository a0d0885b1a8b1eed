"""Finding the source map of a program, and keeping those that are asked for often."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from backports import zstd
from django.db.models import QuerySet
from symbolic.exceptions import SymbolicError
from symbolic.sourcemapcache import SourceMapCache

from quarterdeck.errors.artifacts.keeping import touch
from quarterdeck.errors.artifacts.unpacking import FILE_MAX_BYTES
from quarterdeck.errors.models import BundleFile

# Programs with their maps, before they are taken apart, that one process keeps ready.
_READY_MAX_BYTES = 32 << 20
_Kind = BundleFile.Kind


@dataclass(frozen=True, slots=True)
class Found:
    """A map that is ready to be asked; `problem` says why it cannot be, and `cache` is None then."""

    url: str
    cache: SourceMapCache | None
    problem: str = ""


_lock = threading.Lock()
_Key = tuple[str, ...]
_ready: OrderedDict[_Key, tuple[Found, int]] = OrderedDict()


def map_of(project: int, release: str, dist: str, address: str, debug_id: str) -> Found | None:
    """Return the map of the program at `address`, None where none was uploaded."""
    program, source_map = _by_debug_id(project, debug_id) if debug_id else (None, None)
    if source_map is None and release:
        program, source_map = _by_address(project, release, dist, address)
    if source_map is None:
        return None
    touch(source_map.bundle)
    return _prepared(program, source_map)


def _files(project: int) -> QuerySet[BundleFile]:
    # The newest upload counts; contents are read when they are needed.
    return BundleFile.objects.filter(bundle__project=project).select_related("bundle").defer("content").order_by("-pk")


def _by_debug_id(project: int, debug_id: str) -> tuple[BundleFile | None, BundleFile | None]:
    found = _files(project).filter(debug_id=debug_id)
    return found.filter(kind=_Kind.PROGRAM).first(), found.filter(kind=_Kind.MAP).first()


def _by_address(project: int, release: str, dist: str, address: str) -> tuple[BundleFile | None, BundleFile | None]:
    of_release = _files(project).filter(bundle__release=release, bundle__dist__in={dist, ""})
    program = of_release.filter(kind=_Kind.PROGRAM, url__in=addresses(address)).first()
    if program is None or not program.source_map:
        return program, None
    target = urljoin(_absolute(program.url), program.source_map)
    return program, of_release.filter(kind=_Kind.MAP, url__in=addresses(target)).first()


def _absolute(url: str) -> str:
    """`~` stands for any scheme and host, which `urljoin` wants to see."""
    return f"http://~{url[1:]}" if url.startswith("~/") else url


def addresses(address: str) -> list[str]:
    """Return under which addresses a file may have been uploaded: as it is, without its query, for any host (`~`)."""
    bare = address.partition("?")[0].partition("#")[0]
    try:
        path = urlsplit(bare).path
    except ValueError:
        path = ""
    found = [address, bare]
    if path:
        found.append("~/" + path.lstrip("/"))
    return [one[:1000] for one in dict.fromkeys(found)]


def _prepared(program: BundleFile | None, source_map: BundleFile) -> Found:
    # By what they hold, so that a file which took another one's place is not taken for it.
    key = tuple(text for file in (program, source_map) if file for text in (file.bundle.checksum, file.url))
    with _lock:
        if key in _ready:
            _ready.move_to_end(key)
            return _ready[key][0]
    # Two that ask at once both make it: better than all waiting for a large one.
    found = _made(program, source_map)
    size_bytes = source_map.size_bytes + (program.size_bytes if program else 0)
    with _lock:
        _ready[key] = (found, size_bytes)
        while len(_ready) > 1 and sum(size for _found, size in _ready.values()) > _READY_MAX_BYTES:
            _ready.popitem(last=False)
    return found


def _made(program: BundleFile | None, source_map: BundleFile) -> Found:
    try:
        # Without the program, names of functions are not known, positions are.
        source = content_of(program) if program else b""
        return Found(source_map.url, SourceMapCache.from_bytes(source, content_of(source_map)))
    except (SymbolicError, ValueError) as error:
        return Found(source_map.url, None, str(error)[:200])


def content_of(file: BundleFile) -> bytes:
    """Return a file's content. Raises ValueError for one that is larger than any that is taken."""
    content = zstd.ZstdDecompressor().decompress(bytes(file.content), FILE_MAX_BYTES + 1)
    if len(content) > FILE_MAX_BYTES:
        raise ValueError("the file is too large")
    return content
