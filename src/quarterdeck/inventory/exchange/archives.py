"""Zip archives from outside: refused before anything is unpacked when they would not end well."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.exchange.files import check_size

MAX_UNPACKED_BYTES = 512 << 20
MAX_MEMBERS = 20_000
# Deflate reaches 1:1000; repetitive sheets reach some 1:50. Small members may be anything.
_MAX_RATIO = 200
_SMALL_BYTES = 4 << 20


def check_archive(archive: zipfile.ZipFile, name: str) -> None:
    """Raise BadInput for encrypted archives, too many members, or more content than a person's file has.

    The sizes that the directory declares can be trusted as upper bounds: `zipfile` stops reading a member there.
    """
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    bombs = [m for m in members if m.file_size > _SMALL_BYTES and m.file_size > _MAX_RATIO * max(m.compress_size, 1)]
    if bombs or total > MAX_UNPACKED_BYTES or len(members) > MAX_MEMBERS:
        raise BadInput(
            _("%(name)s unpacks to %(size)d MB in %(n)d parts, more than is read")
            % {"name": name, "size": total >> 20, "n": len(members)},
            hint=_("use CSV for large inventories"),
        )
    if any(member.flag_bits & 1 for member in members):
        raise BadInput(_("%(name)s is protected by a password") % {"name": name}, hint=_("save it without one"))


def unpack(path: Path, target: Path) -> None:
    """Unpack the regular files of a zip into `target`; raises BadInput for names that point outside it."""
    check_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path.name)
            for member in archive.infolist():
                pure = PurePosixPath(member.filename.replace("\\", "/"))
                if pure.is_absolute() or ".." in pure.parts:
                    raise BadInput(_('%(name)s holds the unsafe path "%(path)s"') % {"name": path.name, "path": pure})
                archive.extract(member, target)
    except (zipfile.BadZipFile, OSError, NotImplementedError, EOFError) as error:
        raise BadInput(_("%(name)s is not a readable zip file") % {"name": path.name}) from error
