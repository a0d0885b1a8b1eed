"""Errors that a person can act on. Whatever is meant for a person is an `OpsError`; anything else is a bug.

    OpsError                 what was found and, in `hint`, what is allowed or the next step
      ├ BadInput             the request's content is wrong; `field` and `position` say where
      │   └ BadQuery         a query does not parse or names an unknown field
      ├ Unauthenticated      nobody is signed in, or the token is unknown, expired or revoked
      ├ Denied               the actor lacks the verb on (some of) the objects
      ├ NotFound             no such object, or none that this actor may see
      ├ Conflict             the change contradicts what is stored (unique value, state)
      ├ Stale                somebody else changed the object since it was read (If-Match)
      ├ TooMany              a rate or size limit; `retry_after_seconds` says when to come back
      └ Unavailable          a part that is needed does not answer now

`code` is stable and meant for machines; `status` is the HTTP status (RFC 9110) and `exit_code` what a command
returns (after BSD sysexits where one fits).
"""

from __future__ import annotations

from typing import ClassVar


class OpsError(Exception):
    """Something a person can act on. `message` says what was found, `hint` the next step."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", field: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        self.position = position

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class BadInput(OpsError):
    code = "bad_input"
    status = 422
    exit_code = 65


class BadQuery(BadInput):
    code = "bad_query"
    status = 400


class Unauthenticated(OpsError):
    code = "unauthenticated"
    status = 401
    exit_code = 77


class Denied(OpsError):
    code = "denied"
    status = 403
    exit_code = 77


class NotFound(OpsError):
    code = "not_found"
    status = 404
    exit_code = 66


class Conflict(OpsError):
    code = "conflict"
    status = 409
    exit_code = 65


class Stale(OpsError):
    code = "stale"
    status = 412
    exit_code = 75


class TooMany(OpsError):
    code = "too_many"
    status = 429
    exit_code = 75

    def __init__(self, message: str, *, hint: str = "", retry_after_seconds: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(OpsError):
    code = "unavailable"
    status = 503
    exit_code = 69
