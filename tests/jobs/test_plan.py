"""How a run is laid out, and what its options and its work may be."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.runners import runner_named
from quarterdeck.jobs.runners.ssh import read, shown
from quarterdeck.jobs.runs.gathering import MASK, Gathering, masks
from quarterdeck.jobs.runs.planning import Options, sizes_of
from quarterdeck.remote.sessions import Stream


@pytest.mark.parametrize(
    ("text", "hosts", "expected"),
    [
        ("", 7, [7]),
        ("3", 7, [3, 3, 1]),
        ("10%", 100, [10] * 10),
        ("1,50%", 10, [1, 5, 4]),
        ("1, 10%, 50%", 200, [1, 20, 100, 79]),
        # As Ansible's serial: rounded down, at least one.
        ("1%", 10, [1] * 10),
        ("30%", 5, [1] * 5),
        ("500", 3, [3]),
    ],
)
def test_batches_follow_each_other(text: str, hosts: int, expected: list[int]) -> None:
    assert sizes_of(text, hosts) == expected


@pytest.mark.parametrize("text", ["0", "-1", "half", "101%", "0%", "1,,2", "1;2", "10%%", "1e3", "9999999"])
def test_a_size_that_cannot_be_meant_is_told(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        sizes_of(text, 10)
    assert caught.value.field == "batch"
    assert caught.value.hint == "1,10%,50%"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_fail": "many"}, "max_fail"),
        ({"max_fail": "-1%"}, "max_fail"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
        ({"timeout_seconds": 1e9}, "timeout_seconds"),
        ({"at_once": 0}, "at_once"),
        ({"at_once": 5000}, "at_once"),
        ({"pauses_after_first": True}, "pauses_after_first"),
    ],
)
def test_options_that_cannot_be_meant_are_told(options: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        Options(**options).check()
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("work", "field"),
    [
        ({}, "command"),
        ({"command": "  "}, "command"),
        ({"command": "uptime", "script": "uptime"}, "command"),
        ({"command": 7}, "command"),
        ({"command": "a\0b"}, "command"),
        ({"command": "x" * 70_000}, "command"),
        ({"script": "x" * (1 << 21)}, "script"),
        ({"command": "uptime", "arguments": ["-p"]}, "arguments"),
        ({"script": "uptime", "arguments": "-p"}, "arguments"),
        ({"script": "uptime", "arguments": ["a\0b"]}, "arguments"),
        ({"command": "uptime", "environment": {"A B": "1"}}, "environment"),
        ({"command": "uptime", "environment": {"A": 1}}, "environment"),
        ({"command": "uptime", "enviroment": {"A": "1"}}, "work"),
    ],
)
def test_work_that_cannot_be_meant_is_told(work: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(work)
    assert caught.value.field == field


def test_a_name_that_is_nearly_right_is_told() -> None:
    with pytest.raises(BadInput) as caught:
        read({"comand": "uptime"})
    assert "command" in caught.value.hint
    with pytest.raises(BadInput) as caught:
        runner_named("shs")
    assert "ssh" in caught.value.hint


def test_a_script_keeps_its_arguments_to_itself() -> None:
    command = read({"script": "#!/bin/bash\r\necho hi\r\n", "arguments": ["a b", "$(reboot)", "'", "x\ny"]})
    assert command.stdin == b"#!/bin/bash\necho hi\n"
    assert """"$d/script" 'a b' '$(reboot)' ''"'"'' 'x\ny'""" in command.text
    assert shown(command) == "echo hi"


def test_a_script_without_a_first_line_is_for_sh() -> None:
    assert '/bin/sh "$d/script"' in read({"script": "echo hi"}).text
    assert 'python3 -u "$d/script"' in read({"script": "print()", "interpreter": "python3 -u"}).text


def _gathered(*parts: bytes, secrets: tuple[str, ...] = (), ended: bool = True) -> bytes:
    gathering = Gathering(masks(secrets))
    for part in parts:
        gathering.add(1, Stream.STDOUT, part)
    return b"".join(data for _host, _stream, data in gathering.take([1] if ended else []))


def test_output_is_passed_on_by_lines() -> None:
    gathering = Gathering(())
    gathering.add(1, Stream.STDOUT, b"one\ntw")
    assert list(gathering.take([])) == [(1, Stream.STDOUT, b"one\n")]
    # A prompt has no end of line: it is passed on when nothing more comes.
    assert list(gathering.take([])) == [(1, Stream.STDOUT, b"tw")]
    gathering.add(1, Stream.STDOUT, b"o\nthree")
    assert list(gathering.take([1])) == [(1, Stream.STDOUT, b"o\nthree")]
    assert gathering.close(1).stdout_bytes == 13


def test_known_secrets_are_not_passed_on() -> None:
    assert _gathered(b"the word is s3cret-w", b"ord!\n", secrets=("s3cret-word",)) == b"the word is " + MASK + b"!\n"
    # A short one would be found in innocent words.
    assert _gathered(b"a root shell\n", secrets=("root",)) == b"a root shell\n"
    key = "-----BEGIN KEY-----\nabcdefgh\n-----END KEY-----\n"
    assert b"abcdefgh" not in _gathered(b"  abcdefgh\n", secrets=(key,))


def test_a_secret_that_comes_in_two_pieces_is_not_passed_on() -> None:
    gathering = Gathering(masks(["s3cret-word"]))
    passed = b""
    for part in (b"the word is s3cre", b"", b"", b"t-word and more", b"", b""):
        gathering.add(1, Stream.STDOUT, part)
        passed += b"".join(data for _host, _stream, data in gathering.take([]))
    passed += b"".join(data for _host, _stream, data in gathering.take([1]))
    assert passed == b"the word is " + MASK + b" and more"


def test_equal_output_has_equal_hashes() -> None:
    gathering = Gathering(())
    for host, parts in enumerate(((b"a\nb\n",), (b"a\n", b"b\n"), (b"a\nc\n",))):
        for part in parts:
            gathering.add(host, Stream.STDOUT, part)
            list(gathering.take([]))
    hashes = [gathering.close(host).hash for host in range(3)]
    assert hashes[0] == hashes[1] != hashes[2]
