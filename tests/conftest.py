"""What every test shares. The data directory is a fresh one, set before Django reads its settings."""

from __future__ import annotations

import os
import tempfile

os.environ["QD_DATA"] = tempfile.mkdtemp(prefix="quarterdeck-test-")
os.environ.setdefault("QD_LOG_LEVEL", "warning")

pytest_plugins = ["tests.lab.fixtures", "tests.people"]
