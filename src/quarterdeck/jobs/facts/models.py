"""The table of installed packages."""

from __future__ import annotations

import zlib
from hashlib import sha256

import orjson
from django.db import models

from quarterdeck.inventory.models import Item
from quarterdeck.jobs.facts.packages import Package


class InstalledPackages(models.Model):
    """The packages of a host, as one compressed value: they are read for one host, or for all in a scan.

    They are no attribute of the item: two thousand packages are 100 KB, and every list would read them along; the
    item's attribute `packages` has their number. `digest` tells whether a scan has seen this very list.
    """

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="+")
    manager = models.CharField(max_length=16)
    count = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, db_index=True)
    packed = models.BinaryField()
    read_at = models.DateTimeField()

    def packages(self) -> list[Package]:
        return [Package(*values) for values in orjson.loads(zlib.decompress(bytes(self.packed)))]


def packed(manager: str, packages: list[Package]) -> tuple[bytes, str]:
    """Return `packed`, `[["libc6", "2.36-9", "amd64", "glibc"], ...]` compressed to a tenth, and `digest`."""
    rows = orjson.dumps([[one.name, one.version, one.architecture, one.source] for one in packages])
    return zlib.compress(rows, 6), sha256(manager.encode() + rows).hexdigest()
