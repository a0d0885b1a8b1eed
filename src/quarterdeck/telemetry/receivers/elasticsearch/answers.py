"""Answers as Elasticsearch gives them: its product header, its media types, its errors."""

from __future__ import annotations

import orjson

from quarterdeck.telemetry.receiving import Answer, Problem, Request

# Clients and shippers ask for a server that is not older than they are; what they send has not changed since 7.
VERSION = "8.19.0"
_PRODUCT = {"X-Elastic-Product": "Elasticsearch"}
_TYPES = {
    400: "illegal_argument_exception",
    401: "security_exception",
    403: "security_exception",
    404: "index_not_found_exception",
    413: "content_too_long_exception",
    429: "es_rejected_execution_exception",
    503: "cluster_block_exception",
}


def answer(body: bytes, request: Request, *, status: int = 200) -> Answer:
    """Return JSON in the media type that the client asks for (version 8 and later name one of their own)."""
    wanted = request.headers.get("accept", "")
    is_own = wanted.startswith("application/vnd.elasticsearch+json")
    return Answer(body, status, wanted.partition(",")[0] if is_own else "application/json", _PRODUCT)


def problem(problem: Problem) -> Answer:
    """Return the failure as Elasticsearch's clients read it; they try again on 429 and 503."""
    cause = {"type": _TYPES.get(problem.status, "exception"), "reason": problem.message}
    body = {"error": {"root_cause": [cause], **cause}, "status": problem.status}
    return Answer(orjson.dumps(body), problem.status, "application/json", _PRODUCT)
