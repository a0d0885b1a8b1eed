"""Where pulled files arrive: a directory of this machine, which no name that a host sends leads out of.

Every step down is taken from the directory's own descriptor and follows no link, so that it makes no difference what
somebody puts there meanwhile. A file has its name when it is complete.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.remote.files.session import nonce, shown

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def is_safe(name: str) -> bool:
    """Whether a name of a host's directory is one name."""
    return (
        name not in ("", ".", "..")
        and "/" not in name
        and "\0" not in name
        and len(name.encode("utf-8", "surrogateescape")) <= 255
    )


@dataclass(slots=True)
class Arriving:
    """A file that is being written."""

    descriptor: int
    size_bytes: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        self.digest.update(data)
        self.size_bytes += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self.descriptor, view) :]


@dataclass(frozen=True, slots=True)
class Landing:
    """`directory` is made when it is not there."""

    directory: Path

    @contextmanager
    def arriving(self, parts: Sequence[str]) -> Iterator[Arriving]:
        """Yield a file to write to; it gets its name at the end, or is removed. Raises BadInput, OSError."""
        if not parts or not all(map(is_safe, parts)):
            raise BadInput(_('the host names a file "%(name)s"') % {"name": shown("/".join(parts))})
        names = [os.fsencode(part) for part in parts]
        above = self._open(names[:-1])
        try:
            temporary = f".{nonce()}.part"
            arriving = Arriving(os.open(temporary, _NEW, 0o600, dir_fd=above))
            try:
                yield arriving
                os.rename(temporary, names[-1], src_dir_fd=above, dst_dir_fd=above)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=above)
                raise
            finally:
                os.close(arriving.descriptor)
        finally:
            os.close(above)

    def _open(self, names: Sequence[bytes]) -> int:
        self.directory.mkdir(parents=True, exist_ok=True)
        found = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        for name in names:
            above = found
            try:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=above)
                found = os.open(name, _DIRECTORY, dir_fd=above)
            finally:
                os.close(above)
        return found
