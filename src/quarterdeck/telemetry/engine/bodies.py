"""Request bodies: received into memory or, when large, a temporary file; decompressed and limited on the way."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import parse_qsl

import lz4.frame
from backports import zstd

from quarterdeck.telemetry.engine import failures
from quarterdeck.telemetry.engine.failures import EngineFailure

_MEMORY_BYTES = 8 << 20
_FORM_MAX_BYTES = 16 << 20
_BLOCK_BYTES = 1 << 20


class _Decoder(Protocol):
    def feed(self, chunk: bytes, write: Callable[[bytes], None]) -> None: ...
    def is_complete(self) -> bool: ...


class _Identity:
    def feed(self, chunk: bytes, write: Callable[[bytes], None]) -> None:
        write(chunk)

    def is_complete(self) -> bool:
        return True


class _Zlib:
    """gzip and deflate, bounded per step so that a small body cannot unfold into all of the memory."""

    def __init__(self, window_bits: int) -> None:
        self._object = zlib.decompressobj(window_bits)

    def feed(self, chunk: bytes, write: Callable[[bytes], None]) -> None:
        while chunk:
            write(self._object.decompress(chunk, _BLOCK_BYTES))
            chunk = self._object.unconsumed_tail

    def is_complete(self) -> bool:
        return self._object.eof


class _Frames:
    """zstd and lz4: frames that may follow one another, since a client compresses an insert block by block."""

    def __init__(self, new: Callable[[], Any]) -> None:
        self._new = new
        self._object = new()

    def feed(self, chunk: bytes, write: Callable[[bytes], None]) -> None:
        while chunk or not self._object.needs_input:
            if self._object.eof:
                self._object = self._new()
            write(self._object.decompress(chunk, max_length=_BLOCK_BYTES))
            chunk = self._object.unused_data if self._object.eof else b""
            if self._object.eof and not chunk:
                return

    def is_complete(self) -> bool:
        return bool(self._object.eof)


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "": _Identity,
    "identity": _Identity,
    "gzip": lambda: _Zlib(31),
    "deflate": lambda: _Zlib(15),
    "lz4": lambda: _Frames(lz4.frame.LZ4FrameDecompressor),
    "zstd": lambda: _Frames(zstd.ZstdDecompressor),
}


class Body:
    """One request's content, written chunk by chunk, then read as a file. Raises EngineFailure over the limit."""

    def __init__(self, encoding: str, max_bytes: int, scratch: Path, prefix: bytes = b"") -> None:
        if encoding not in _DECODERS:
            allowed = ", ".join(name for name in _DECODERS if name)
            raise EngineFailure(f"Content-Encoding {encoding!r} is not one of {allowed}", failures.NOT_IMPLEMENTED)
        self._decoder = _DECODERS[encoding]()
        self._max_bytes = max_bytes
        self._bytes = 0
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(_MEMORY_BYTES, dir=str(scratch))  # noqa: SIM115 - closed by close
        self.file.write(prefix)

    def feed(self, chunk: bytes) -> None:
        try:
            self._decoder.feed(chunk, self._write)
        except (zlib.error, RuntimeError, zstd.ZstdError, EOFError) as error:
            raise EngineFailure(f"the body cannot be decompressed: {error}", failures.BAD_ARGUMENTS) from error

    def _write(self, content: bytes) -> None:
        self._bytes += len(content)
        if self._bytes > self._max_bytes:
            raise EngineFailure(f"the body is larger than {self._max_bytes >> 20} MB", failures.TOO_LARGE)
        self.file.write(content)

    def finish(self) -> None:
        """Check that a compressed body came whole, and rewind."""
        if self._bytes and not self._decoder.is_complete():
            raise EngineFailure("the compressed body ends too early", failures.BAD_ARGUMENTS)
        self.file.seek(0)

    def close(self) -> None:
        self.file.close()


def form_fields(content_type: str, file: IO[bytes]) -> dict[str, str]:
    """Return the fields of an HTML form body: the client sends long query parameters that way."""
    content = file.read(_FORM_MAX_BYTES + 1)
    if len(content) > _FORM_MAX_BYTES:
        raise EngineFailure(f"the form is larger than {_FORM_MAX_BYTES >> 20} MB", failures.TOO_LARGE)
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(content.decode(), keep_blank_values=True))
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
    fields = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_filename():
            raise EngineFailure("external tables are not supported", failures.NOT_IMPLEMENTED)
        payload = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = payload.decode() if isinstance(payload, bytes) else ""
    return fields
