"""Recordings in the form of asciicast v2: a header, and then one event on each line, `[1.25, "o", "text"]`.

"o" is what the host printed, "r" a new size ("80x24"), "m" a command that begins, where the shell says so. What was
typed is not in it: of a password the host prints nothing. See https://docs.asciinema.org/manual/asciicast/v2/
"""

from __future__ import annotations

import codecs
import re
from urllib.parse import unquote

import orjson

from quarterdeck.jobs.terminals.models import TerminalSession
from quarterdeck.remote.terminals import TERM, Size

MEDIA_TYPE = "application/x-asciicast"
# Operating system commands (ECMA-48, 8.3.89), and the beginning of one at the end of a text. Longer ones are no marks.
# A host chooses what is matched here: the possessive `+` tries each character once, whatever comes.
_MARK = re.compile(r"\x1b\]([^\x07\x1b]{0,4000}+)(?:\x07|\x1b\\)")
_OPEN_MARK = re.compile(r"\x1b(?:\][^\x07\x1b]{0,4000}+\x1b?)?\Z")
_URL = "cmdline_url="
_ESCAPED = re.compile(r"\\(\\|x([0-9a-fA-F]{2}))")


def header(session: TerminalSession) -> bytes:
    """Return the first line of a session's recording."""
    began = session.opened_at or session.created_at
    return (
        orjson.dumps(
            {
                "version": 2,
                "width": session.columns,
                "height": session.rows,
                "timestamp": int(began.timestamp()),
                "title": f"{session.actor} {session.place}",
                "env": {"TERM": TERM},
            }
        )
        + b"\n"
    )


def event(seconds: float, code: str, data: str) -> bytes:
    return orjson.dumps([round(seconds, 6), code, data]) + b"\n"


class Writer:
    """Makes events of one terminal's bytes. A character in two pieces stays one; what is no UTF-8 is replaced."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._open_mark = ""

    def printed(self, seconds: float, data: bytes) -> bytes:
        text = self._decoder.decode(data)
        if not text:
            return b""
        marks = b"".join(event(seconds, "m", command) for command in self._commands(text))
        return marks + event(seconds, "o", text)

    def resized(self, seconds: float, size: Size) -> bytes:
        return event(seconds, "r", f"{size.columns}x{size.rows}")

    def rest(self, seconds: float) -> bytes:
        """What was left of a character that never became whole."""
        text = self._decoder.decode(b"", final=True)
        return event(seconds, "o", text) if text else b""

    def _commands(self, text: str) -> list[str]:
        """Return the commands that the shell says begin now; a mark may come in pieces."""
        text = self._open_mark + text
        is_open = _OPEN_MARK.search(text)
        self._open_mark = is_open[0] if is_open else ""
        return [command for mark in _MARK.findall(text) if (command := _command(mark))]


def _command(mark: str) -> str:
    """Return the command line that begins, "" for any other mark.

    OSC 133;C with `cmdline_url=`, as fish 4 sends it, and OSC 633;E as editors' shell integrations do. See
    https://fishshell.com/docs/current/relnotes.html and https://code.visualstudio.com/docs/terminal/shell-integration
    """
    match mark.split(";"):
        case ["133", "C", *values]:
            urls = [value.removeprefix(_URL) for value in values if value.startswith(_URL)]
            return unquote(urls[0]).strip() if urls else ""
        case ["633", "E", text, *_rest]:
            return _ESCAPED.sub(lambda one: "\\" if one[1] == "\\" else chr(int(one[2], 16)), text).strip()
    return ""
