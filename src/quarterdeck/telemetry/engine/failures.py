"""The engine's errors as ClickHouse's HTTP interface answers them: a code in a header, a status, a sentence."""

from __future__ import annotations

import re

_CODE = re.compile(r"Code: (\d+)\.")
_NOISE = re.compile(r"^(?:Streaming (?:query|insert finish|insert append|insert) failed: )+")

# Numbers are ClickHouse's own. See https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
UNKNOWN = 1002
NOT_IMPLEMENTED = 48
SYNTAX_ERROR = 62
BAD_ARGUMENTS = 36
TOO_MANY_QUERIES = 202
AUTHENTICATION_FAILED = 516
TOO_LARGE = 307
# Statuses as in ClickHouse's HTTPHandler: what the sender got wrong is 4xx, so that a client does not send it again.
_STATUS = {
    **dict.fromkeys(
        (6, 26, 27, 36, 38, 41, 42, 43, 47, 50, 53, 62, 63, 69, 70, 72, 115, 117, 130, 131, 153, 321, 456), 400
    ),
    **dict.fromkeys((60, 81, 46, 82), 404),
    **dict.fromkeys((57, 15, 44), 400),
    164: 403,
    516: 403,
    497: 403,
    48: 501,
    307: 413,
    159: 408,
    160: 417,
    202: 503,
    241: 507,
    252: 503,
}


class EngineFailure(Exception):
    """`code` is ClickHouse's error number, `message` its text."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        found = _CODE.search(message)
        self.code = code if code is not None else int(found.group(1)) if found else UNKNOWN
        text = _NOISE.sub("", message)
        self.message = text if found else f"Code: {self.code}. DB::Exception: {text}"

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 500)
