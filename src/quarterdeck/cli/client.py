"""The way to a running instance: HTTP with a token, problems turned into `OpsError`s, pages followed as they are read.

QD_URL     address of the instance, http://127.0.0.1:8000
QD_TOKEN   API token, from `quarterdeck token create`
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from quarterdeck.core import errors
from quarterdeck.core.errors import OpsError, TooMany, Unavailable

PAGE_ROWS = 500
_RETRIES_WHEN_LIMITED = 5
Json = Any
Params = Mapping[str, str | int | float | bool | None]


class NotConfigured(OpsError):
    """The environment does not say which instance to talk to. The exit code is BSD's EX_CONFIG."""

    code = "not_configured"
    exit_code = 78


class Remote(OpsError):
    """The instance answered with an error that this version has no name for."""

    code = "remote"


def _tree(base: type[OpsError]) -> Iterator[type[OpsError]]:
    yield base
    for child in base.__subclasses__():
        yield from _tree(child)


@cache
def _kinds() -> dict[str, type[OpsError]]:
    return {kind.code: kind for kind in _tree(OpsError) if kind.__module__ == errors.__name__}


def _by_status(status: int) -> type[OpsError]:
    """The nearest of our kinds for a code that this version does not know."""
    same = [kind for kind in _kinds().values() if kind.status == status]
    return same[0] if same else Unavailable if status >= 500 else Remote


def _raise_problem(response: httpx.Response) -> None:
    response.read()
    try:
        found = response.json()
        detail, code, hint = str(found["detail"]), str(found["code"]), str(found.get("hint", ""))
    except (ValueError, KeyError, TypeError):
        raise Unavailable(
            f"{response.request.url} answered {response.status_code} and not as Quarterdeck does",
            hint="check QD_URL; it should name the instance itself, without a path",
        ) from None
    for error in found.get("errors", [])[1:10]:
        detail += f"\n       {error['in']} {error['pointer'].lstrip('/')}: {error['message']}"
    if response.status_code >= 500:
        hint = f"{hint} (request {found.get('request_id', '')})".strip()
    kind = _kinds().get(code) or _by_status(response.status_code)
    if issubclass(kind, TooMany):
        raise kind(detail, hint=hint, retry_after_seconds=int(response.headers.get("Retry-After", "60")))
    raise kind(detail, hint=hint, field=found.get("field", ""), position=found.get("position"))


def _environment() -> tuple[str, str]:
    url, token = os.environ.get("QD_URL", "").strip(), os.environ.get("QD_TOKEN", "").strip()
    if not url:
        raise NotConfigured("QD_URL is not set", hint="export QD_URL=http://127.0.0.1:8000")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise NotConfigured(f'QD_URL is "{url}"', hint="it must look like http://127.0.0.1:8000")
    if not token:
        raise NotConfigured(
            "QD_TOKEN is not set", hint="make one with `quarterdeck token create --name me --role operator`"
        )
    if not token.isascii() or not token.isprintable():
        raise NotConfigured("QD_TOKEN holds characters that no token has", hint="copy it again, without line breaks")
    return url.rstrip("/"), token


class Client:
    """One connection to the instance that the environment names. Use as a context manager."""

    def __init__(self) -> None:
        self.url, token = _environment()
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "qd"}
        self._http = httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=httpx.Timeout(60, connect=5))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    @contextmanager
    def _open(self, method: str, path: str, **content: Any) -> Iterator[httpx.Response]:
        """Send one request, again when the rate is used up, and yield the good answer before its body is read."""
        params = {name: value for name, value in (content.pop("params", None) or {}).items() if value not in (None, "")}
        try:
            for attempt in range(_RETRIES_WHEN_LIMITED + 1):
                with self._http.stream(method, path, params=params, **content) as response:
                    if response.status_code == 429 and attempt < _RETRIES_WHEN_LIMITED:
                        _wait(response)
                        continue
                    if not response.is_success:
                        _raise_problem(response)
                    yield response
                    return
        except httpx.TransportError as error:
            raise Unavailable(
                f"{self.url} does not answer: {error or type(error).__name__}",
                hint="is it running? `quarterdeck up` starts it, `quarterdeck status` tells",
            ) from error

    def get(self, path: str, params: Params | None = None) -> Json:
        with self._open("GET", path, params=params) as response:
            return _content(response)

    def send(self, method: str, path: str, body: Json = None, *, headers: Mapping[str, str] | None = None) -> Json:
        """Write; the key makes a repeated request happen once."""
        headers = {"Idempotency-Key": uuid4().hex, **(headers or {})}
        with self._open(method, path, json=body, headers=headers) as response:
            return _content(response)

    def upload(self, path: str, name: str, file: BinaryIO, fields: Mapping[str, str]) -> Json:
        with self._open("POST", path, files={"file": (name, file)}, data=dict(fields)) as response:
            return _content(response)

    def rows(self, path: str, params: Params | None = None, *, at_most: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list page by page, `at_most` of them (0: all). Holds one page in memory."""
        left = at_most or sys.maxsize
        after = ""
        while left > 0:
            found = self.get(path, {**(params or {}), "limit": min(PAGE_ROWS, left), "after": after})
            yield from found["items"]
            left -= len(found["items"])
            after = found.get("next") or ""
            if not after:
                return

    def events(self, path: str, params: Params | None = None) -> Iterator[Json]:
        """Yield the data of server-sent events as they come, and None for each sign of life. Raises what they report.

        See https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        with self._open("GET", path, params=params, timeout=httpx.Timeout(60, connect=5)) as response:
            kind = ""
            for line in _lines(response):
                name, _colon, value = line.partition(":")
                if name == "event":
                    kind = value.strip()
                elif name == "data" and kind == "problem":
                    found = json.loads(value)
                    raise _kinds().get(found["code"], Remote)(found["detail"], hint=found["hint"])
                elif name == "data":
                    yield json.loads(value)
                elif line and not name:
                    yield None

    def download(self, path: str, target: BinaryIO, params: Params | None = None) -> None:
        """Copy a body into `target` as it arrives."""
        with self._open("GET", path, params=params) as response:
            target.writelines(response.iter_bytes())


def _lines(response: httpx.Response) -> Iterator[str]:
    """Yield lines. Only a newline ends one: httpx takes U+2028, which may stand in data, for an end too."""
    rest = b""
    for block in response.iter_bytes():
        *whole, rest = (rest + block).split(b"\n")
        yield from (line.rstrip(b"\r").decode() for line in whole)


def _wait(response: httpx.Response) -> None:
    seconds = min(int(response.headers.get("Retry-After", "5")), 60)
    print(f"too many requests in this minute, going on in {seconds} s", file=sys.stderr)  # noqa: T201
    time.sleep(seconds)


def _content(response: httpx.Response) -> Json:
    response.read()
    return response.json() if response.content else None
