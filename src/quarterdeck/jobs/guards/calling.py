"""Which programs a shell text calls, and with which words: what guard rules look at.

The text is parsed as Bash (tree-sitter's grammar), not searched: `/sbin/reboot`, `a; reboot`, `r'e'boot` and
`sudo sh -c "reboot"` all call reboot, and `echo reboot` does not. What is known on the host only (`$CMD`, `$(...)`) is
told as such, and so is what was not understood. It is a guard against mistakes, no prison: whoever may run commands
can say each of them in another way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

# A word; None for one that is known on the host only.
Word = str | None
Variables = Mapping[str, str]
_BASH = Language(tree_sitter_bash.language())
# These call what comes after their own options, and may stand one behind the other.
_WRAPPERS = frozenset(
    """sudo doas env nohup time nice ionice chrt timeout xargs setsid exec command builtin chroot stdbuf flock parallel
    busybox toybox su runuser unshare nsenter systemd-run strace ltrace taskset find fd watch docker podman kubectl
    ssh pkexec run0 coproc""".split()  # noqa: SIM905 - a list of this length is not read
)
# These take their words as texts for a shell.
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "mksh", "rbash"})
_TEXTS = SHELLS | {"eval", "su", "runuser", "watch", "ssh", "script", "trap", "parallel", "flock"}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\([$`"\\\n])')
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_SPLIT = re.compile(r"[\s*?\[\\]|^$")
# Options of sudo that start a shell.
_LOGIN = re.compile(r"-[A-Za-z]*[is]|--login|--shell")
# Of a name these make something that only the host knows.
_EXPANDED = re.compile(r"[*?]|\[.|\{.*(?:,|\.\.).*\}")
# Beyond these a text is not understood: nobody writes such a one by hand.
_DEPTH = 6
_TEXTS_MAX = 500
_NODES_MAX = 200_000
_WORDS_MAX = 60
_ALL_WORDS_MAX = 300_000


@dataclass(frozen=True, slots=True)
class Call:
    """A program and its words. `name` is without its folder; None when it is known on the host only."""

    name: Word
    words: tuple[Word, ...] = ()


NOT_KNOWN = Call(None)


def calls_of(text: str, environment: Variables = MappingProxyType({})) -> tuple[Call, ...]:
    """Return every call in a shell's text, at any depth, each once. What is not understood is `NOT_KNOWN`.

    Variables of the `environment` are known where the text itself does not set them.
    """
    return tuple(dict.fromkeys(_Reading(environment).of_text(text, 0)))


class _Reading:
    def __init__(self, environment: Variables) -> None:
        self._known = dict(environment)
        self._texts, self._walked, self._words = 0, 0, 0

    def of_text(self, text: str, depth: int) -> Iterator[Call]:
        self._texts += 1
        if depth > _DEPTH or self._texts > _TEXTS_MAX or self._words > _ALL_WORDS_MAX:
            yield NOT_KNOWN
            return
        root = Parser(_BASH).parse(text.encode(errors="replace")).root_node
        if root.has_error:
            yield NOT_KNOWN
        self._forget_set(root)
        for node in self._nodes(root):
            if self._words > _ALL_WORDS_MAX:
                yield NOT_KNOWN
                return
            if node.type == "pipeline":
                yield from self._of_pipeline(node)
            elif node.type == "command":
                yield from self._of_words(_words(node, self._known), depth)
                yield from self._of_redirects(node, node.named_children, depth)
            elif node.type == "redirected_statement":
                body = node.child_by_field_name("body")
                for command in self._nodes(body) if body else ():
                    if command.type == "command":
                        yield from self._of_redirects(command, node.named_children, depth)
        if self._walked > _NODES_MAX:
            yield NOT_KNOWN

    def _forget_set(self, root: Node) -> None:
        """A variable that the text may set (`x=`, `read x`, `for x in`) is known on the host only."""
        for node in self._nodes(root) if self._known else ():
            if node.type == "word" or (
                node.type == "variable_name" and node.parent and "expansion" not in node.parent.type
            ):
                self._known.pop(_text(node), None)

    def _nodes(self, root: Node) -> Iterator[Node]:
        """Walk without recursion: a text may be deeper than Python's stack."""
        left = [root]
        while left and self._walked <= _NODES_MAX:
            self._walked += 1
            node = left.pop()
            yield node
            left.extend(reversed(node.named_children))

    def _of_words(self, words: Sequence[Word], depth: int) -> Iterator[Call]:
        name = _base(words[0]) if words else ""
        yield from self._of_call(Call(name, tuple(words[1:])), depth)
        if name not in _WRAPPERS:
            return
        if len(words) > _WORDS_MAX:
            yield NOT_KNOWN
        # Options of wrappers are too many to know which of them take a value: a call may begin at each word.
        for start, word in enumerate(words[1:_WORDS_MAX], start=1):
            if word is None or not (word.startswith("-") or _ASSIGNMENT.match(word)):
                yield from self._of_call(Call(_base(word), tuple(words[start + 1 :])), depth)

    def _of_call(self, call: Call, depth: int) -> Iterator[Call]:
        self._words += 1 + len(call.words)
        yield call
        if call.name in _TEXTS:
            for text in call.words:
                if text and not text.startswith("-"):
                    yield from self.of_text(text, depth + 1)

    def _of_pipeline(self, node: Node) -> Iterator[Call]:
        """A shell that reads its text from a pipe: nobody knows it here."""
        for command in node.named_children[1:]:
            words = _words(command, self._known) if command.type == "command" else ()
            after = next((words[at + 1 :] for at, word in enumerate(words) if _base(word) in SHELLS), None)
            if after is not None and all(word and word.startswith("-") and "c" not in word for word in after):
                yield NOT_KNOWN

    def _of_redirects(self, command: Node, redirects: Iterable[Node], depth: int) -> Iterator[Call]:
        """A shell that reads its text from a here-document or a here-string."""
        for redirect in redirects:
            if redirect.type not in ("heredoc_redirect", "herestring_redirect") or not _is_shell(
                _words(command, self._known)
            ):
                continue
            for one in redirect.named_children:
                if one.type == "heredoc_body":
                    yield from self.of_text(_text(one), depth + 1)
                elif redirect.type == "herestring_redirect":
                    text = _word(one, self._known)
                    yield from self.of_text(text, depth + 1) if text is not None else (NOT_KNOWN,)


def _words(command: Node, known: Variables) -> tuple[Word, ...]:
    found: list[Word] = []
    for child in command.named_children:
        if child.type == "command_name":
            found.append(_word(child.named_children[0], known) if child.named_children else None)
        elif child.type not in ("variable_assignment", "file_redirect", "herestring_redirect", "heredoc_redirect"):
            found.append(_word(child, known))
    return tuple(found)


def _word(node: Node, known: Variables) -> Word:
    """Return what the shell makes of a word, quotes and backslashes taken away."""
    match node.type:
        case "word" | "number" | "test_operator" | "regex" | "extglob_pattern":
            return _ESCAPED.sub(r"\1", _text(node))
        case "raw_string":
            return _text(node)[1:-1]
        case "string":
            return _quoted(node, known)
        case "simple_expansion" | "expansion":
            value = _value(node, known)
            # Without quotes the shell looks into it again.
            return None if value is None or _SPLIT.search(value) else value
        case "concatenation":
            parts = [_word(child, known) for child in node.named_children]
            return None if None in parts else "".join(part for part in parts if part)
        case _:
            return None


def _quoted(node: Node, known: Variables) -> Word:
    """Return what stands between double quotes."""
    text, at, parts = node.text or b"", node.start_byte + 1, []
    for child in node.named_children:
        if child.type == "string_content":
            continue
        value = _value(child, known)
        if value is None:
            return None
        # The grammar counts blanks before an expansion to it.
        start = child.end_byte - len((child.text or b"").lstrip())
        parts += [_literal(text[at - node.start_byte : start - node.start_byte]), value]
        at = child.end_byte
    return "".join([*parts, _literal(text[at - node.start_byte : -1])])


def _literal(text: bytes) -> str:
    return _ESCAPED_IN_QUOTES.sub(r"\1", text.decode(errors="replace"))


def _value(node: Node, known: Variables) -> Word:
    match = _VARIABLE.fullmatch(_text(node).lstrip()) if node.type in ("simple_expansion", "expansion") else None
    return known.get(match[1] or match[2]) if match else None


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def _base(word: Word) -> Word:
    """Return a program's name without its folder."""
    return None if word is None or _EXPANDED.search(word) else word.rsplit("/", 1)[-1]


def _is_shell(words: Sequence[Word]) -> bool:
    """Whether a command reads a text for a shell from its standard input, as far as its words tell."""
    names = [_base(word) for word in words]
    if names[:1] == ["sudo"] or names[:1] == ["doas"]:
        return bool(SHELLS & set(names)) or any(word and _LOGIN.fullmatch(word) for word in words)
    return bool({*SHELLS, "su", "runuser", "ssh"} & set(names))
