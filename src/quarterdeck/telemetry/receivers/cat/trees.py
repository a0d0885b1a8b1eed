"""CAT's message trees, as both of its formats tell them: one after another, with where transactions begin and end."""

from __future__ import annotations

from dataclasses import dataclass, field

SUCCESS = "0"
# What a client writes where nobody set a status.
_UNSET = frozenset({"", "unset", "DefaultStatus", "null", "NULL"})


@dataclass(frozen=True, slots=True)
class Header:
    """Who sent a tree. `message_id` names it, `parent_id` the tree that caused it, `root_id` the first of all."""

    domain: str
    host: str
    ip: str
    thread_group: str = ""
    thread_id: str = ""
    thread: str = ""
    message_id: str = ""
    parent_id: str = ""
    root_id: str = ""
    session: str = ""

    @property
    def trace(self) -> str:
        """The id that all trees of one request share."""
        return known(self.root_id) or known(self.message_id)


@dataclass(slots=True)
class Message:
    """A leaf: `kind` is E (event), M (metric), H (heartbeat) or L (trace); `at_ms` is Unix time in milliseconds."""

    kind: str
    at_ms: int
    type: str
    name: str
    status: str = ""
    data: str = ""

    @property
    def is_success(self) -> bool:
        return self.status == SUCCESS or self.status in _UNSET


@dataclass(slots=True)
class Transaction:
    """Something that takes time. `parent` is its index in the tree's list of transactions, -1 for the root."""

    at_ms: int
    type: str
    name: str
    parent: int = -1
    status: str = ""
    data: str = ""
    duration_us: int = 0
    messages: list[Message] = field(default_factory=list)

    @property
    def is_success(self) -> bool:
        return self.status == SUCCESS or self.status in _UNSET


@dataclass(slots=True)
class Tree:
    """A header with its transactions in order of their beginning, and what was logged outside of any."""

    header: Header
    transactions: list[Transaction] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return not self._open

    def begin(self, transaction: Transaction) -> None:
        transaction.parent = self._open[-1] if self._open else -1
        self._open.append(len(self.transactions))
        self.transactions.append(transaction)

    def end(self, status: str, data: str, duration_us: int) -> None:
        """End the transaction that began last. Raises IndexError when none is open."""
        transaction = self.transactions[self._open.pop()]
        transaction.status, transaction.data, transaction.duration_us = status, data, duration_us

    def log(self, message: Message) -> None:
        (self.transactions[self._open[-1]].messages if self._open else self.messages).append(message)


@dataclass(frozen=True, slots=True)
class BagMetric:
    """A metric of a bag, counted by the client over a while."""

    at_ms: int
    name: str
    kind: str
    count: int
    sum: float
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Bag:
    """Metrics that come without a tree."""

    header: Header
    metrics: list[BagMetric]


def known(text: str) -> str:
    """Return the text, "" for what clients write where they have none."""
    return "" if text in ("null", "NULL") else text
