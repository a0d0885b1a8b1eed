"""Render one template for many hosts, in a process that may be ended: a template can loop for ever, or grow.

    python -I render.py      {"template", "contexts": [{...}], "max_bytes", "seconds"} on stdin

Answers a line of JSON for each context: {"text"} or {"error", "line"}. `seconds` are for one context.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment


class _TooLong(Exception):
    """The time of one context is over."""


def main() -> None:
    order = json.load(sys.stdin)
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["quote"] = lambda value: shlex.quote(str(value))
    environment.filters["to_json"] = lambda value: json.dumps(value, ensure_ascii=False, sort_keys=True)
    signal.signal(signal.SIGALRM, _ring)
    try:
        template = environment.from_string(order["template"])
    except TemplateSyntaxError as error:
        answers = [{"error": error.message, "line": error.lineno}] * len(order["contexts"])
        sys.stdout.writelines(json.dumps(answer) + "\n" for answer in answers)
        return
    for context in order["contexts"]:
        sys.stdout.write(json.dumps(_rendered(template, context, order)) + "\n")
        sys.stdout.flush()


def _ring(_number: int, _frame: object) -> None:
    raise _TooLong


def _rendered(template: Template, context: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    parts, size = [], 0
    signal.setitimer(signal.ITIMER_REAL, order["seconds"])
    try:
        for part in template.generate(context):
            size += len(part.encode("utf-8", "surrogateescape"))
            if size > order["max_bytes"]:
                return {"error": f"more than {order['max_bytes']} bytes", "line": None}
            parts.append(part)
    except _TooLong:
        return {"error": f"not ready after {order['seconds']:g} s", "line": None}
    except MemoryError:
        return {"error": "it needs too much memory", "line": None}
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        return {"error": f"{error}" or type(error).__name__, "line": _line(error)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"text": "".join(parts)}


def _line(error: BaseException) -> int | None:
    """Return the template's line that an error comes from: Jinja2 puts it into the traceback."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


if __name__ == "__main__":
    main()
