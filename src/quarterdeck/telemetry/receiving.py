"""What a receiver is: it checks a sender's bytes, answers as its protocol does, and says how the engine reads them.

Receivers are pure: bytes in, frames and answers out. The intake does the I/O: it listens, limits, authenticates,
decompresses, makes the frames durable and only then sends the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

FAMILY = "quarterdeck.telemetry.receivers"
Signal = Literal["metrics", "logs", "traces", "errors"]


@dataclass(frozen=True, slots=True)
class Stream:
    """How the engine reads the frames that were spooled under one name.

    `select` is a whole SELECT whose columns are named as those of `table` (`metrics_in`, `logs_in`, `spans_in`, ...);
    `{input}` in it stands for the segment's rows, which have `structure` and come in `format`. At hand are the query
    parameters `{received:DateTime64(3)}`, `{key:UInt32}`, `{protocol:String}`, `{labels:Map(String, String)}` (those of
    the key) and the functions of `telemetry.functions`. `delimiter` says how frames are joined: "varint" writes the
    length before each (ClickHouse's `Protobuf`), "line" ends each with a newline, "none" puts nothing between them.
    `proto` and `message` are the schema of a protobuf format. With `has_ids` the same bytes sent again count once,
    because the sender gives ids or times.
    `columns` is for a table of the receiver's own: it gets the rules of redaction (`mapping.Rule`) and returns
    `{"column": "SQL on the columns of select"}`.
    """

    table: str
    format: str
    structure: str
    select: str
    delimiter: Literal["varint", "line", "none"] = "line"
    proto: str = ""
    message: str = ""
    has_ids: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    columns: Callable[[Sequence[Any]], Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """Bytes for one stream; `records` is how many samples, lines, spans or events are in it."""

    stream: str
    content: bytes
    records: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. For HTTP all fields count, for other transports the body alone."""

    body: bytes = b""
    status: int = 200
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a receiver made of some bytes: frames to keep, then the answer to send.

    `refused` counts records that were left out, by reason (a short word, it becomes a label): `{"no_name": 2}`. A
    connection ends after what `is_last`. `when_kept` is called once the frames are durable; a UDP port does not.
    """

    frames: Sequence[Frame] = ()
    answer: Answer | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    is_last: bool = False
    when_kept: Callable[[], None] | None = None


class Refused(Exception):
    """These bytes are no message of the protocol, or one that is not taken. `reason` is a short word for counting."""

    def __init__(self, message: str, *, reason: str = "malformed", status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request was not taken, for the receiver to say in its protocol's way; `status` is HTTP's.

    `streams` are those whose frames would have been kept, where the request was understood.
    """

    status: int
    message: str
    reason: str
    retry_after_seconds: int = 0
    streams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: `body` is decompressed, `headers` have lower-case names, `path` holds what the route's pattern
    named. `key` is the id of the intake key, 0 on loopback without one. `local` is the address of ours that it came to.
    `state` is what the receiver's `state` made.
    """

    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str
    now: datetime
    key: int = 0
    local: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: Any = None

    @property
    def media_type(self) -> str:
        """`application/json` of `Content-Type: application/json; charset=utf-8`, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def no_credential(request: Request) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Route:
    """A path under which the protocol's clients send; `{name}` in `pattern` takes one part, `{name:path}` the rest.

    `take` raises Refused. `is_probe` is for paths that clients ask before they send and that keep nothing: they need
    no key.
    """

    methods: tuple[str, ...]
    pattern: str
    take: Callable[[Request], Taken]
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """A unary gRPC method, `/package.Service/Name`; `take` gets the message as Request.body, metadata as headers."""

    name: str
    take: Callable[[Request], Taken]


def nothing_selected(query: str, name: str) -> bool:
    return False


def no_selections(settings: Mapping[str, Any]) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection, or sent a datagram: `address` is the IP, `key` as in Request.

    `shared` is kept by the port for all of its sessions: what must outlive a datagram is put there. `local` is the
    address of ours that a connection came to. `is_selected(query, host)` tells whether an inventory query selects the
    item of that name; it knows the queries that the receiver's `selections` gives. `state` is
    what the receiver's `state` made, shared with its routes.
    """

    address: str
    key: int
    now: Callable[[], datetime]
    settings: Mapping[str, Any] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    is_selected: Callable[[str, str], bool] = nothing_selected
    local: str = ""
    state: Any = None


class State(Protocol):
    """What a receiver remembers from one message to the next. One for each intake process, used by several threads."""

    def flush(self, now: datetime) -> Mapping[int, Taken]:
        """Return what is to be kept now, by key. Called every `flush_seconds` and once more when the intake stops."""
        ...

    def changes(self) -> Mapping[str, bytes]:
        """Return what has to survive a restart, by name, as far as it changed since the last call; b"" is gone."""
        ...


class Session(Protocol):
    """A connection's state, without I/O. For UDP there is one per datagram, and an answer goes back to its sender.

    A session of TCP may have a method `begin() -> Iterable[Taken]` as well, for protocols in which the server speaks
    first.
    """

    def feed(self, data: bytes) -> Iterable[Taken]:
        """Take the next bytes. Raises Refused to say why the connection is closed."""
        ...

    def end(self) -> Iterable[Taken]:
        """The peer has finished sending."""
        ...


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of its own. `setting` names the option that holds its address ("" switches it off).

    `silence_seconds` ends a connection that sends nothing for that long; `problem` is what a TCP peer is told before it
    is hung up on because of a Refused. With `is_tls` the port speaks TLS, with the
    certificate that the settings `intake_tls_certificate` and `intake_tls_key` name.
    """

    setting: str
    transport: Literal["tcp", "udp"]
    open: Callable[[Peer], Session]
    silence_seconds: float = 300.0
    is_tls: bool = False
    problem: Callable[[Problem], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """How to point a client here, ready to paste.

    `text` holds `{url}` (http://host:4318), `{host}`, `{port}` (of `setting`), `{key}` and `{project}` (the key's id).
    """

    title: str
    text: str
    setting: str = "intake_http"
    language: str = "text"


def problem_as_json(problem: Problem) -> Answer:
    """The answer of protocols that say nothing about errors: problem+json (RFC 9457)."""
    import orjson

    body = {"type": "about:blank", "status": problem.status, "title": problem.reason, "detail": problem.message}
    return Answer(orjson.dumps(body), problem.status, "application/problem+json")


@dataclass(frozen=True, slots=True)
class Receiver:
    """A protocol. `credential` finds the intake key in a request that carries it in a way of its own ("" for none);
    with `key_in_body` it is asked again once the body is there, when the head told no key. With `key_is_forced` clients
    cannot do without one: where no key is needed, one that was never issued counts as none.

    `http_setting` names the option with the address of a port of its own for the routes, which all are on the intake's
    common port as well. `selections(settings)` are the inventory queries that its sessions ask their peer for.
    `body_max_bytes` and `content_max_bytes` (decompressed) lower the intake's own limits, 0 keeps them.

    A protocol whose messages have to be put together makes its `state` from what `changes` told before the last
    restart. Its changes are on disk before the request that made them is answered.
    """

    title: str
    signals: tuple[Signal, ...]
    http_setting: str = ""
    routes: tuple[Route, ...] = ()
    methods: tuple[Method, ...] = ()
    listeners: tuple[Listener, ...] = ()
    streams: Mapping[str, Stream] = field(default_factory=dict)
    clients: tuple[Client, ...] = ()
    problem: Callable[[Problem], Answer] = problem_as_json
    credential: Callable[[Request], str] = no_credential
    key_in_body: bool = False
    selections: Callable[[Mapping[str, Any]], Sequence[str]] = no_selections
    key_is_forced: bool = False
    body_max_bytes: int = 0
    content_max_bytes: int = 0
    state: Callable[[Mapping[str, bytes]], State] | None = None
    flush_seconds: float = 10.0
