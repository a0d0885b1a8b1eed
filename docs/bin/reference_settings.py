"""Writes docs/reference/settings.md from the table of settings. `--check` only tells whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from quarterdeck.conf.options import OPTIONS, Option

TARGET = Path(__file__).parents[1] / "reference" / "settings.md"
_HEAD = """# Settings

<!-- Made from the code by docs/bin/reference_settings.py; do not edit. -->

A value comes from, strongest first: the environment, `quarterdeck.toml` in the data directory (or the file that
`QD_CONFIG` names), the default. In the file a setting has its plain name:

```toml
listen = "0.0.0.0:8000"
allowed_hosts = ["quarterdeck.example.org"]
```

A wrong value stops the start with a sentence. `quarterdeck doctor` points at names that nothing reads, and the settings
page shows each value with its origin; secrets are masked there, in logs and in messages.

| setting | environment | default | unit | what it does |
|---|---|---|---|---|
"""


def _default(option: Option) -> str:
    if option.name == "data":
        # The platform's own folder: this machine's path says nothing about another's.
        return "the user data folder"
    if option.default in ("", ()):
        return "empty"
    text = ",".join(option.default) if isinstance(option.default, tuple) else str(option.default)
    return f"`{text.lower() if isinstance(option.default, bool) else text}`"


def _rows() -> Iterator[str]:
    for option in OPTIONS:
        text = f"{option.help} Secret." if option.secret else option.help
        yield f"| `{option.name}` | `{option.env}` | {_default(option)} | {option.unit} | {text} |"


def render() -> str:
    """Return the whole page."""
    return _HEAD + "\n".join(_rows()) + "\n"


def main() -> int:
    text = render()
    if "--check" in sys.argv:
        same = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.name} " + ("is up to date" if same else "differs; run docs/bin/reference_settings.py"))  # noqa: T201
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
