"""Stored files. Their names are those of the work that uses them: the same content is stored once."""

from __future__ import annotations

from django.db import models


class StoredFile(models.Model):
    """A content, known by its SHA-256 in hexadecimal; readable when it `is_whole`.

    Only what somebody uploaded is pushed: who knows the checksum of a pulled file may not read it that way. `used_at`
    is when it was last asked for.
    """

    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    is_whole = models.BooleanField(default=False)
    is_uploaded = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sha256"], condition=models.Q(is_whole=True), name="stored_file_sha256"),
        ]
        indexes = [models.Index(fields=["used_at"], name="stored_file_used")]

    def __str__(self) -> str:
        return self.sha256


class FilePart(models.Model):
    """The `number`th megabyte of a file, from 0."""

    file = models.ForeignKey(StoredFile, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="file_part_number")]

    def __str__(self) -> str:
        return f"{self.file_id}/{self.number}"
