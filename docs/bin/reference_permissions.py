"""Writes docs/reference/permissions.md from the registered verbs, actions and built-in roles."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec

from pages import finish, set_up

_HEAD = """# Permissions

<!-- Made from the code by docs/bin/reference_permissions.py; do not edit. -->

A role grants verbs; `inventory.*` and `*` are patterns. A *scoped* verb holds on the items that the role's query
selects, another one on the whole product.

"""


def _load_actions() -> None:
    """Import the module of actions of every package, so that all of them are registered."""
    from django.apps import apps

    for config in apps.get_app_configs():
        if config.name.startswith("quarterdeck.") and find_spec(f"{config.name}.actions"):
            importlib.import_module(f"{config.name}.actions")


def render() -> str:
    """Return the whole page."""
    set_up()
    _load_actions()
    from quarterdeck.access.checks import ACTIONS
    from quarterdeck.access.registry import verbs

    roles = importlib.import_module("quarterdeck.access.builtin").ROLES
    lines = [_HEAD + "| verb | allows to | scoped |", "|---|---|---|"]
    lines += [f"| `{verb.name}` | {verb.title} | {'yes' if verb.scoped else ''} |" for verb in verbs().values()]
    lines += ["", "## Built-in roles", "", "| role | verbs | for |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {', '.join(f'`{verb}`' for verb in granted)} | {text} |" for name, _title, text, granted in roles
    ]
    lines += [
        "",
        "## Actions",
        "",
        "What each action requires. An attempt that is refused or fails is audited, too.",
        "",
    ]
    lines += ["| action | verb |", "|---|---|"]
    lines += [f"| `{action.name}` | `{action.verb}` |" for _name, action in sorted(ACTIONS.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(finish("permissions", render()))
