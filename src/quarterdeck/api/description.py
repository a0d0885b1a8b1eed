"""The OpenAPI description, completed: what every operation may answer, and the headers that all share."""

from __future__ import annotations

from typing import Any

from ninja.openapi.schema import OpenAPISchema

_WRITES = ("post", "put", "patch", "delete")
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "An error after RFC 9457.",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable name of the error, for machines."},
        "detail": {"type": "string", "description": "What was found."},
        "hint": {"type": "string", "description": "What is allowed, or the next step."},
        "field": {"type": "string"},
        "position": {"type": "integer", "description": "Character of the query or body, from 0."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["in", "pointer", "message"],
                "properties": {name: {"type": "string"} for name in ("in", "pointer", "message")},
            },
        },
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
    },
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The write happens once; the same key repeats the first answer for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}


def file_answer(*media_types: str) -> dict[str, Any]:
    """Return what an operation adds to its description when it answers a file of one of these media types."""
    content: dict[str, Any] = {media_type.partition(";")[0]: {"schema": {}} for media_type in media_types}
    return {"responses": {200: {"description": "A file", "content": content}}}


def _problem(title: str) -> dict[str, Any]:
    return {
        "description": title,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def conditional() -> dict[str, Any]:
    """Return what a write that takes `If-Match` adds to its description."""
    header = {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The item's ETag: the write is refused when the item has moved on.",
        "schema": {"type": "string", "maxLength": 64, "pattern": "^[!-~]*$"},
    }
    return {"parameters": [header], "responses": {412: _problem("The item has another version")}}


def _answers(method: str, has_input: bool) -> dict[int, str]:
    answers = {
        400: "The request or its query cannot be read",
        401: "No valid token or session",
        403: "The caller lacks the right",
        404: "No such thing, or none that the caller may see",
        429: "Too many requests in a minute",
        503: "A part that is needed does not answer now",
    }
    if has_input or method in _WRITES:
        answers[422] = "A value is wrong; `errors` says where"
    if method in _WRITES:
        answers |= {
            409: "The change contradicts what is stored",
            411: "The body's length is unknown",
            413: "The body is too large",
            415: "The body is of another media type",
        }
    return answers


def complete(schema: OpenAPISchema) -> OpenAPISchema:
    """Add the problem schema, every operation's error answers and the shared headers. Returns the same object."""
    schema["components"]["schemas"]["Problem"] = _PROBLEM
    schema["servers"] = [{"url": "/"}]
    for methods in schema["paths"].values():
        for method, operation in methods.items():
            has_input = bool(operation.get("parameters") or operation.get("requestBody"))
            for status, title in _answers(method, has_input).items():
                operation["responses"].setdefault(status, _problem(title))
            if method in _WRITES:
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    return schema
