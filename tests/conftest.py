"""What every test shares. The data directory is a fresh one, set before Django reads its settings."""

from __future__ import annotations

import os
import tempfile

os.environ["QD_DATA"] = tempfile.mkdtemp(prefix="quarterdeck-test-")
os.environ.setdefault("QD_LOG_LEVEL", "warning")
# pytest-django would read the settings before this file when they were named in pyproject.toml: with the data directory
# of the person who runs the tests.
os.environ["DJANGO_SETTINGS_MODULE"] = "quarterdeck.conf.settings"
import django
from django.conf import settings

django.setup()
settings.DATA.joinpath("static").mkdir(parents=True, exist_ok=True)

pytest_plugins = ["tests.lab.fixtures", "tests.people", "tests.emptying"]
