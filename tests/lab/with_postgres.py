"""Run a command with QD_DATABASE_URL set to a PostgreSQL of its own: python -m tests.lab.with_postgres pytest -q"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.lab.postgres import postgres


def main() -> int:
    with postgres() as url:
        return subprocess.run(sys.argv[1:], env={**os.environ, "QD_DATABASE_URL": url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
