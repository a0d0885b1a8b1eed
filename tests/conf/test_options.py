"""Settings: where values come from, and the sentence that a wrong one gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.conf.options import OPTIONS, load, shown, unknown_names
from quarterdeck.core.errors import BadInput


def _load(tmp_path: Path, toml: str = "", **environ: str) -> dict[str, object]:
    (tmp_path / "quarterdeck.toml").write_text(toml)
    return {name: setting.value for name, setting in load({"QD_DATA": str(tmp_path), **environ}).items()}


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "quarterdeck.toml").write_text('language = "zh-hans"\nsession_hours = 5\n')
    settings = load({"QD_DATA": str(tmp_path), "QD_SESSION_HOURS": "7"})
    assert (settings["session_hours"].value, settings["session_hours"].origin) == (7, "environment")
    assert (settings["language"].value, settings["language"].origin) == ("zh-hans", "file")
    assert settings["log_level"].origin == "default"


def test_it_reads_lists_from_both(tmp_path: Path) -> None:
    assert _load(tmp_path, 'allowed_hosts = ["a.example", "b.example"]')["allowed_hosts"] == ("a.example", "b.example")
    assert _load(tmp_path, QD_ALLOWED_HOSTS="a.example, b.example")["allowed_hosts"] == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QD_LISTEN", "8000"),
        ("QD_LISTEN", "127.0.0.1:99999"),
        ("QD_LISTEN", "127.0.0.1:0"),
        ("QD_SESSION_HOURS", "twelve"),
        ("QD_SESSION_HOURS", "0"),
        ("QD_SESSION_HOURS", "--5"),
        ("QD_SESSION_HOURS", "²"),
        ("QD_DATABASE_URL", "mysql://root@localhost/x"),
        ("QD_BROKER_URL", "redis://"),
        ("QD_BROKER_URL", "redis://host:banana/0"),
        ("QD_CLICKHOUSE_URL", "localhost:8123"),
        ("QD_LANGUAGE", "de"),
        ("QD_LOG_LEVEL", "loud"),
    ],
)
def test_it_rejects_a_wrong_value_and_names_the_setting(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadInput) as caught:
        _load(tmp_path, **{name: value})
    assert caught.value.field == name.removeprefix("QD_").lower()
    assert name in caught.value.hint


def test_it_rejects_an_empty_data_directory() -> None:
    with pytest.raises(BadInput, match="expected a directory"):
        load({"QD_DATA": ""})


def test_it_rejects_a_file_that_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        _load(tmp_path, "listen = ")


def test_it_rejects_an_unknown_name_in_the_file_and_says_the_near_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        _load(tmp_path, 'listn = "127.0.0.1:8000"')
    assert caught.value.hint == 'did you mean "listen"?'


def test_it_rejects_a_table_where_a_value_belongs(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a table"):
        _load(tmp_path, "[listen]\nport = 1")


def test_it_rejects_a_settings_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no settings file"):
        _load(tmp_path, QD_CONFIG=str(tmp_path / "missing.toml"))


def test_it_never_shows_a_secret_in_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        _load(tmp_path, QD_DATABASE_URL="mysql://root:hunter2@localhost/x")
    assert "hunter2" not in str(caught.value)


def test_it_finds_names_that_nothing_reads() -> None:
    assert unknown_names({"QD_LISTN": "x", "QD_URL": "x", "QD_DATA": "x", "PATH": "x"}) == {
        "QD_LISTN": 'did you mean "QD_LISTEN"?'
    }


def test_the_settings_page_masks_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QD_OIDC_CLIENT_SECRET", "hunter2")
    rows = {row["name"]: row for row in shown()}
    assert rows["oidc_client_secret"]["value"] == "(set)"
    assert rows["oidc_client_secret"]["origin"] == "environment"
    assert "hunter2" not in str(rows)


def test_every_default_is_a_value_that_its_own_reader_accepts() -> None:
    for option in OPTIONS:
        text = ",".join(option.default) if isinstance(option.default, tuple) else str(option.default)
        assert option.read(text) == option.default, option.name
