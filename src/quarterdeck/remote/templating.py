"""Texts made of a template and a host's values: Jinja2, sandboxed, strict about names, bounded in time and size.

It renders in a process of its own (`helpers/render.py`), once for all hosts of a piece of work: Python has no way to
end a template that loops, or multiplies a string, inside this one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, Unavailable
from quarterdeck.remote.local import LocalLimits, run_program
from quarterdeck.remote.running import result_of

MAX_TEMPLATE_BYTES = 1 << 20
MAX_TEXT_BYTES = 1 << 20
SECONDS_EACH = 2.0
_HELPER = Path(__file__).with_name("helpers") / "render.py"
_ALL_SECONDS = 120
_MEMORY_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text, or what is wrong for this host: `error` is a sentence for a person, "" when all is well."""

    text: str = field(default="", repr=False)
    error: str = ""

    def checked(self) -> str:
        """Return the text. Raises BadInput."""
        if self.error:
            raise BadInput(self.error, hint=_("look at the template and at the host's values"), field="template")
        return self.text


async def rendered(template: str, contexts: Sequence[Mapping[str, Any]]) -> list[Rendered]:
    """Return the text of `template` for each of `contexts`, whose values are what JSON has. Raises BadInput."""
    if len(template.encode("utf-8", "surrogateescape")) > MAX_TEMPLATE_BYTES:
        raise BadInput(_("a template has at most %(bytes)d bytes") % {"bytes": MAX_TEMPLATE_BYTES}, field="template")
    order = {"template": template, "contexts": contexts, "max_bytes": MAX_TEXT_BYTES, "seconds": SECONDS_EACH}
    result = await result_of(
        run_program(
            [sys.executable, "-I", str(_HELPER)],
            stdin=json.dumps(order).encode(),
            limits=LocalLimits(address_space_bytes=_MEMORY_BYTES, cpu_seconds=_ALL_SECONDS),
            seconds=_ALL_SECONDS,
            max_bytes=(MAX_TEXT_BYTES * 6 + 1024) * max(1, len(contexts)),
        )
    )
    found = [_answer(json.loads(line)) for line in result.stdout.split(b"\n")[:-1]]
    if not found and contexts and result.exit.code:
        last = result.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise Unavailable(_("templates cannot be rendered: %(reason)s") % {"reason": last})
    # What was not reached when it was ended has no answer.
    missing = Rendered(error=_("the template takes too long, or too much memory"))
    return found + [missing] * (len(contexts) - len(found))


def _answer(answer: Mapping[str, Any]) -> Rendered:
    if "text" in answer:
        return Rendered(answer["text"])
    if answer["line"] is None:
        return Rendered(error=_("the template fails: %(reason)s") % {"reason": answer["error"]})
    return Rendered(
        error=_("line %(line)d of the template: %(reason)s") % {"line": answer["line"], "reason": answer["error"]}
    )
