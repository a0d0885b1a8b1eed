"""Elasticsearch's `_bulk` and `_doc`: documents are checked here, and read by the engine.

See https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from secrets import token_urlsafe
from urllib.parse import quote, unquote

import msgspec
import orjson

from quarterdeck.telemetry.documents import OPTIONS, log_select
from quarterdeck.telemetry.receivers.elasticsearch.answers import answer
from quarterdeck.telemetry.receiving import Answer, Frame, Refused, Request, Stream, Taken

# An operation that failed in the answer's list: what clients are told of a document that is none.
_BAD_DOCUMENT = {"type": "document_parsing_exception", "reason": "the document is no JSON object"}
_NOT_TAKEN = {"type": "illegal_argument_exception", "reason": "logs are only added: create and index are taken"}
_INDEX_MAX = 255
_BRACE = ord("{")
_lines = msgspec.json.Decoder(msgspec.Raw)


class _Target(msgspec.Struct):
    index: str | None = msgspec.field(name="_index", default=None)
    id: str | int | None = msgspec.field(name="_id", default=None)


class _Action(msgspec.Struct):
    create: _Target | None = None
    index: _Target | None = None
    update: _Target | None = None
    delete: _Target | None = None


_action = msgspec.json.Decoder(_Action)


@dataclass(frozen=True, slots=True)
class _Operation:
    """`name` is create, index, update or delete; `id` "" where the sender leaves it to us."""

    name: str
    index: str
    id: str


def _select() -> str:
    source = (
        "(SELECT substring(line, 1, position(line, '\\t') - 1) AS target, substring(line, position(line, '\\t') + 1)"
        " AS doc FROM {input})"
    )
    index = "if(target = '', map(), map('elasticsearch.index', decodeURLComponent(substringIndex(target, '/', 1))))"
    return log_select(source, "target, ", attributes=index)


def _stream(*, has_ids: bool) -> Stream:
    return Stream("logs_in", "LineAsString", "line String", _select(), has_ids=has_ids, options=OPTIONS)


# Each line is `index/id`, a tab and the document. Documents that have ids are known when they come again.
BULK, BULK_WITH_IDS = "elasticsearch.bulk", "elasticsearch.bulk_ids"
STREAMS = {BULK: _stream(has_ids=False), BULK_WITH_IDS: _stream(has_ids=True)}


def take_bulk(request: Request) -> Taken:
    """Take `{"create": {}}` and document in turn, a line each."""
    default = unquote(request.path.get("index", ""))
    body = _utf8(request.body)
    try:
        lines = _lines.decode_lines(body)
    except (msgspec.DecodeError, RecursionError):
        return _by_line(body, default, request)
    actions, documents = lines[0::2], lines[1::2]
    kinds = {bytes(action) for action in actions}
    if len(actions) == len(documents) and len(kinds) == 1:
        operation = _operation(kinds.pop(), default, 1)
        if operation.name in ("create", "index") and not operation.id and _are_objects(documents):
            return _alike(operation, documents, request)
    return _by_line(body, default, request)


def _utf8(body: bytes) -> bytes:
    """Return the body with what is no UTF-8 replaced: one bad character must not cost a line."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode(errors="replace").encode()
    return body


def _are_objects(documents: Sequence[msgspec.Raw]) -> bool:
    return all(memoryview(document)[0] == _BRACE for document in documents)


def _alike(operation: _Operation, documents: Sequence[msgspec.Raw], request: Request) -> Taken:
    """Take documents that have all the same action: nothing is done for each but to copy it."""
    prefix = _target(operation) + b"\t"
    content = prefix + (b"\n" + prefix).join(documents)
    if content.count(b"\n") != len(documents) - 1 or b"\r" in content:
        content = prefix + (b"\n" + prefix).join(_one_line(bytes(document)) for document in documents)
    item = orjson.dumps(_done(operation))
    return Taken([Frame(BULK, content, len(documents))], _answer(b",".join([item] * len(documents)), False, request))


def _by_line(body: bytes, default: str, request: Request) -> Taken:
    """Take lines one by one. Raises Refused where it cannot be told what is an action and what a document."""
    plain: list[bytes] = []
    named: list[bytes] = []
    items: list[bytes] = []
    refused: dict[str, int] = {}
    for operation, document in _pairs(body, default):
        reason = "" if operation.name in ("create", "index") else "action"
        if not reason and not _is_object(document):
            reason = "malformed"
        if reason:
            refused[reason] = refused.get(reason, 0) + 1
            items.append(orjson.dumps(_failed(operation, _NOT_TAKEN if reason == "action" else _BAD_DOCUMENT)))
            continue
        (named if operation.id else plain).append(_target(operation) + b"\t" + _one_line(document))
        items.append(orjson.dumps(_done(operation)))
    frames = [
        Frame(stream, b"\n".join(lines), len(lines))
        for stream, lines in ((BULK, plain), (BULK_WITH_IDS, named))
        if lines
    ]
    return Taken(frames, _answer(b",".join(items), bool(refused), request), refused)


def _pairs(body: bytes, default: str) -> Iterator[tuple[_Operation, bytes]]:
    lines = iter(enumerate(body.split(b"\n"), 1))
    for number, line in lines:
        if not line.strip():
            continue
        operation = _operation(line, default, number)
        document = b"" if operation.name == "delete" else next(lines, (0, b""))[1]
        yield operation, document.strip()


def _operation(line: bytes, default: str, number: int) -> _Operation:
    try:
        action = _action.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(f"Malformed action/metadata line [{number}]: {error}") from error
    for name in ("create", "index", "update", "delete"):
        target: _Target | None = getattr(action, name)
        if target is not None:
            return _Operation(name, (target.index or default)[:_INDEX_MAX], _id_of(target))
    raise Refused(f"Malformed action/metadata line [{number}], expected create, index, update or delete")


def _id_of(target: _Target) -> str:
    return "" if target.id is None else str(target.id)[:512]


def _target(operation: _Operation) -> bytes:
    """Return `index/id` without a tab or a newline in it."""
    if operation.id:
        return f"{_quoted(operation.index)}/{_quoted(operation.id)}".encode()
    return _quoted(operation.index).encode()


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _is_object(document: bytes) -> bool:
    try:
        msgspec.json.decode(document, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return document[:1] == b"{"


def _one_line(document: bytes) -> bytes:
    """Return JSON without line ends, which can stand between its parts only."""
    return document.replace(b"\n", b" ").replace(b"\r", b" ")


def _done(operation: _Operation) -> dict[str, object]:
    found: dict[str, object] = {"_index": operation.index or "logs"}
    if operation.id:
        found["_id"] = operation.id
    return {operation.name: {**found, "_version": 1, "result": "created", "status": 201}}


def _failed(operation: _Operation, error: dict[str, str]) -> dict[str, object]:
    found: dict[str, object] = {"_index": operation.index or "logs"}
    if operation.id:
        found["_id"] = operation.id
    return {operation.name: {**found, "status": 400, "error": error}}


def _answer(items: bytes, has_errors: bool, request: Request) -> Answer:
    """Fluent Bit looks for `"errors":false,"items":[` in the first bytes, written exactly so."""
    errors = b"true" if has_errors else b"false"
    return answer(b'{"errors":' + errors + b',"items":[' + items + b'],"took":0}', request)


def take_document(request: Request) -> Taken:
    """Take one document."""
    document = _utf8(request.body).strip()
    if not _is_object(document):
        raise Refused(_BAD_DOCUMENT["reason"])
    operation = _Operation("index", unquote(request.path["index"])[:_INDEX_MAX], unquote(request.path.get("id", "")))
    stream = BULK_WITH_IDS if operation.id else BULK
    frame = Frame(stream, _target(operation) + b"\t" + _one_line(document), 1)
    found = {
        "_index": operation.index,
        "_id": operation.id or token_urlsafe(15),
        "_version": 1,
        "result": "created",
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "_seq_no": 0,
        "_primary_term": 1,
    }
    return Taken([frame], answer(orjson.dumps(found), request, status=201))
