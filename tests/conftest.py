"""What every test shares. The data directory is a fresh one, set before Django reads its settings."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from tests.lab.migrated import begin_run

if settings_module := os.environ.get("DJANGO_SETTINGS_MODULE"):
    raise pytest.UsageError(
        f"unset DJANGO_SETTINGS_MODULE (found {settings_module}): the tests choose a data directory first"
    )
# The environment of many containers has it, and then each of the hundreds of processes that the tests start compiles
# every module for itself: two thirds of what a start costs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["QD_DATA"] = tempfile.mkdtemp(prefix="quarterdeck-test-")
os.environ.setdefault("QD_LOG_LEVEL", "warning")
# pytest-django would read the settings before this file when they were named in pyproject.toml: with the data directory
# of the person who runs the tests.
os.environ["DJANGO_SETTINGS_MODULE"] = "quarterdeck.conf.settings"
import django
from django.conf import settings
from django.test import SimpleTestCase
from django.utils import translation

sys.dont_write_bytecode = False
django.setup()
begin_run()
# Processes of pytest-xdist inherit the environment; each is to make a data directory of its own, here.
del os.environ["DJANGO_SETTINGS_MODULE"]
# People are made in nearly every test, and Argon2 is slow on purpose. The test of the real hasher puts it back.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
settings.DATA.joinpath("static").mkdir(parents=True, exist_ok=True)

# On PostgreSQL only what touches records runs again: the rest has run on SQLite and is the same. So is what asks the
# records nothing that is not asked by tests of its own.
_SAME_ON_POSTGRESQL = (
    # Pages: the actions and queries beneath them run again, by themselves and through the API and the commands.
    *("web/", "web_admin/", "logs/test_pages.py", "tracing/test_pages.py", "errors/test_pages.py"),
    *("telemetry/test_item_pages.py", "telemetry/test_metrics_pages.py"),
    # One refusal for each of some 150 operations, by the code that `access/` has run.
    "api/test_access.py",
    # What they ask for is in the engine; of the records they read a role.
    *("logs/test_loki.py", "logs/test_search.py", "logs/test_changed.py", "promql/", "tracing/test_search.py"),
    *("telemetry/test_sql.py", "telemetry/test_chart.py"),
)
_ID_MAX_LENGTH = 200
_TOUCHES_RECORDS = {"db", "transactional_db", "django_db_setup", "live_server", "instance"}


@pytest.fixture(autouse=True)
def _usual_language() -> None:
    """A page in Chinese leaves its language to the thread, where whatever test comes next would speak it."""
    translation.deactivate()


def pytest_unconfigure() -> None:
    shutil.rmtree(settings.DATA, ignore_errors=True)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a long value by its beginning: ids of megabytes go through pipes with every report of every worker."""
    if isinstance(val, str | bytes) and len(val) > _ID_MAX_LENGTH:
        return f"{val[:_ID_MAX_LENGTH]!r} of {len(val)}"
    return None


@pytest.hookimpl(tryfirst=True)  # before the hook of pytest-xdist, which reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("QD_TESTS") == "records":
        config.hook.pytest_deselected(items=[item for item in items if not _touches_records(item)])
        items[:] = [item for item in items if _touches_records(item)]
    else:
        # Threads share SQLite's database in memory, and its locks.
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("postgresql")])
        items[:] = [item for item in items if not item.get_closest_marker("postgresql")]
    for item in items:
        _keep_together(item)
    _longest_first(items)


def _keep_together(item: pytest.Item) -> None:
    """Give a slow test to the worker that has the others of its deck, or of its file: what they start, starts once."""
    call = getattr(item, "callspec", None)
    if call and "deck" in call.params:
        item.add_marker(pytest.mark.xdist_group(f"deck {call.params['deck']}"))
    elif item.get_closest_marker("slow") and not item.get_closest_marker("xdist_group"):
        item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name} {item.path.stem}"))


def _longest_first(items: list[pytest.Item]) -> None:
    """Put the files that may take longest at the beginning, so that no worker is left alone with one at the end."""
    seconds: dict[Path, float] = {}
    tests = Counter(item.path for item in items)
    for item in items:
        limit = item.get_closest_marker("timeout")
        seconds[item.path] = max(seconds.get(item.path, 0.0), float(limit.args[0]) if limit and limit.args else 0.0)
    items.sort(key=lambda item: (-seconds[item.path], -tests[item.path]))


def _touches_records(item: pytest.Item) -> bool:
    if item.path.relative_to(Path(__file__).parent).as_posix().startswith(_SAME_ON_POSTGRESQL):
        return False
    fixtures = set(getattr(item, "fixturenames", ()))
    is_case = isinstance(item, pytest.Function) and item.cls is not None and issubclass(item.cls, SimpleTestCase)
    return is_case or item.get_closest_marker("django_db") is not None or bool(fixtures & _TOUCHES_RECORDS)


pytest_plugins = ["tests.lab.fixtures", "tests.people", "tests.emptying"]
