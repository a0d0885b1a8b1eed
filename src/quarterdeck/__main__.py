"""`python -m quarterdeck` is `quarterdeck`."""

from __future__ import annotations

from quarterdeck.cli.main import run

if __name__ == "__main__":
    run()
