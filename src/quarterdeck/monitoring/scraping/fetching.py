"""One GET of a target's page, with a limit on time and size."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from quarterdeck import __version__
from quarterdeck.core.errors import Unavailable
from quarterdeck.monitoring.scraping.job import Access, Job
from quarterdeck.monitoring.scraping.targets import Target
from quarterdeck.telemetry.exposition import OPENMETRICS

_ACCEPT = f"{OPENMETRICS};version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


class NotScraped(Unavailable):
    """The target did not show its page; the message says why, without any secret."""


def client_of(job: Job) -> httpx.AsyncClient:
    """Return the client for all targets of a job. Raises NotScraped when its certificates cannot be read."""
    try:
        verify = _tls(job.access)
    except (OSError, ssl.SSLError) as error:
        raise NotScraped(f"the files of tls_config cannot be read: {error}", hint="correct their paths") from error
    return httpx.AsyncClient(
        verify=verify,
        proxy=job.access.proxy_url or None,
        follow_redirects=job.access.follow_redirects,
        trust_env=False,
        headers={"accept": _ACCEPT, "user-agent": f"Quarterdeck/{__version__}"},
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=1000, keepalive_expiry=300),
    )


def _tls(access: Access) -> ssl.SSLContext | bool:
    if not (access.ca_file or access.cert_file or access.skip_verify):
        return True
    context = ssl.create_default_context(cafile=str(access.ca_file) if access.ca_file else None)
    if access.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.cert_file:
        context.load_cert_chain(access.cert_file, access.key_file)
    return context


async def fetch(client: httpx.AsyncClient, target: Target) -> tuple[str, bool]:
    """Return the page and whether it is OpenMetrics. Raises NotScraped. The caller watches the time."""
    access = target.job.access
    headers = {"x-prometheus-scrape-timeout-seconds": f"{target.timeout_seconds:g}", **_authorization(access)}
    extensions = {"sni_hostname": access.server_name} if access.server_name else {}
    timeout = httpx.Timeout(target.timeout_seconds)
    auth = httpx.BasicAuth(access.username, _password(access)) if access.username else None
    try:
        async with client.stream(
            "GET", target.url, headers=headers, timeout=timeout, auth=auth, extensions=extensions
        ) as answer:
            if answer.status_code != 200:
                raise NotScraped(f"the target answers HTTP {answer.status_code}", hint="open its page in a browser")
            body = await _body(answer, target.job.body_max_bytes)
    except httpx.TimeoutException as error:
        raise NotScraped(f"no answer in {target.timeout_seconds:g} s", hint="raise scrape_timeout") from error
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, ValueError) as error:
        raise NotScraped(str(error) or type(error).__name__, hint="check the address and the port") from error
    try:
        return body.decode(), answer.headers.get("content-type", "").startswith(OPENMETRICS)
    except UnicodeDecodeError as error:
        raise NotScraped("the page is not UTF-8", hint="is this a page of metrics?") from error


async def _body(answer: httpx.Response, limit: int) -> bytes:
    found = bytearray()
    async for part in answer.aiter_bytes(65_536):
        found += part
        if len(found) > limit:
            raise NotScraped(f"the page is larger than {limit} bytes", hint="raise body_size_limit")
    return bytes(found)


def _authorization(access: Access) -> dict[str, str]:
    credentials = access.credentials or _content(access.credentials_file)
    return {"authorization": f"{access.authorization_type} {credentials}"} if credentials else {}


def _password(access: Access) -> str:
    return access.password or _content(access.password_file)


def _content(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotScraped(f"{path} cannot be read: {error.strerror}", hint="the file holds the secret") from error
