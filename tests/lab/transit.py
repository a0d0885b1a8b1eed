"""Vault's transit engine as its documentation describes it: no package of ours to install has the real server.

Encryption is real (AES-256-GCM with associated data); tokens, versions, mounts and error answers are as documented.
See https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


@dataclass(slots=True)
class Transit:
    """A running server with one key."""

    url: str = ""
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    versions: list[bytes] = field(default_factory=lambda: [secrets.token_bytes(32)])
    is_sealed: bool = False


class _Refused(Exception):
    """An answer other than 200, with the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def _encrypt(transit: Transit, body: dict[str, Any]) -> dict[str, Any]:
    nonce, version = secrets.token_bytes(12), len(transit.versions)
    plain, bound = base64.b64decode(body["plaintext"]), base64.b64decode(body.get("associated_data", ""))
    sealed = nonce + AESGCM(transit.versions[-1]).encrypt(nonce, plain, bound)
    return {"ciphertext": f"vault:v{version}:{base64.b64encode(sealed).decode()}", "key_version": version}


def _decrypt(transit: Transit, body: dict[str, Any]) -> dict[str, Any]:
    _vault, version, text = body["ciphertext"].split(":")
    sealed, bound = base64.b64decode(text), base64.b64decode(body.get("associated_data", ""))
    try:
        plain = AESGCM(transit.versions[int(version[1:]) - 1]).decrypt(sealed[:12], sealed[12:], bound)
    except InvalidTag as error:
        raise _Refused(400, "cipher: message authentication failed") from error
    return {"plaintext": base64.b64encode(plain).decode()}


def _answer(transit: Transit, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    if method == "GET" and path == "/v1/transit/keys/quarterdeck":
        return {"latest_version": len(transit.versions), "type": "aes256-gcm96"}
    if path == "/v1/transit/encrypt/quarterdeck":
        return _encrypt(transit, body)
    if path == "/v1/transit/decrypt/quarterdeck":
        return _decrypt(transit, body)
    if path == "/v1/transit/keys/quarterdeck/rotate":
        transit.versions.append(secrets.token_bytes(32))
        return {}
    raise _Refused(404, "")


@contextmanager
def transit_server() -> Iterator[Transit]:
    transit = Transit()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            try:
                if transit.is_sealed:
                    raise _Refused(503, "Vault is sealed")
                if self.headers.get("X-Vault-Token") != transit.token:
                    raise _Refused(403, "permission denied")
                self._send(200, {"data": _answer(transit, self.command, self.path, body)})
            except _Refused as refused:
                self._send(refused.status, {"errors": [refused.reason] if refused.reason else []})

        do_GET = do_POST = do_PUT = _any  # noqa: N815 - the names that http.server asks for

        def _send(self, status: int, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    transit.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield transit
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
