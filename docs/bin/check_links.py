"""Fails when a relative link or a picture in a Markdown file of the repository leads nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)|(?:src|href)=\"([^\"#]+)\"")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def _broken(page: Path) -> Iterator[str]:
    # What stands in code is an example, not a link.
    for match in _LINK.finditer(_CODE.sub("", page.read_text(encoding="utf-8"))):
        target = match[1] or match[2]
        if "://" not in target and not target.startswith(("mailto:", "/")) and not (page.parent / target).exists():
            yield f"{page.relative_to(ROOT)}: {target} does not exist"


def main() -> int:
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    broken = [line for name in tracked.split() if (ROOT / name).is_file() for line in _broken(ROOT / name)]
    print("\n".join(broken) or "links lead somewhere")  # noqa: T201
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
