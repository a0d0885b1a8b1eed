"""The built front end: manifest, icons, types of the scripts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.web import assets

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "src" / "quarterdeck" / "web"
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["app.css", "app.js", "icons.svg"])
def test_it_serves_each_asset_under_a_name_with_its_hash(name: str) -> None:
    address = assets.asset_url(name)
    assert re.fullmatch(r"/static/dist/\w+-[A-Z0-9]{8}\.\w+", address)
    assert (assets.DIST / Path(address).name).is_file()


def test_every_icon_that_templates_name_is_in_the_sprite() -> None:
    named: set[str] = set()
    for path in (WEB / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r'{% icon "([\w-]+)"', text)) | set(re.findall(r'icon_name="([\w-]+)"', text))
    assert named
    assert named <= assets.drawn_icons()


def test_every_built_in_type_has_an_icon_in_the_sprite() -> None:
    icons = {spec.icon for spec in catalogue().types.values() if spec.builtin}
    assert icons
    assert icons <= assets.drawn_icons()


def test_no_template_has_inline_script_or_style_which_the_policy_refuses() -> None:
    for path in (WEB / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=\"", text), path
        assert not re.search(r"\son(click|change|submit|load|error|input)=", text), path
        for tag in re.findall(r"<script[^>]*>", text):
            assert "nonce=" in tag or "src=" in tag, path


def test_an_unchanged_build_builds_nothing() -> None:
    command = [sys.executable, str(ROOT / "deploy" / "bin" / "build-assets")]
    subprocess.run(command, check=True, capture_output=True)
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert again.stdout == ""


def test_the_scripts_are_strictly_typed() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "bin" / "build-assets"), "--types"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
