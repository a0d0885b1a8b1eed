"""Templates on real hosts, by the command line: hostile answers reach them as they are, and nothing else happens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.jobs.hosts import hosts
from tests.lab.instances import Instance

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("runs")]


def _hostile(mark: Path) -> list[str]:
    touch = f"touch {mark}"
    return [
        f"$({touch})",
        f"`{touch}`",
        f"'; {touch}; '",
        f'"; {touch}; "',
        f"a' \"b\\ $HOME $(({touch}))",
        f"| {touch}",
        f"&& {touch} #",
        "-n -e \\n",
        "%s %n * ? [a] ~ {a,b} !!",
        "漢字 é 😀",
    ]


def test_hostile_answers_reach_a_shell_as_they_are(lab: Instance, shared: Path, tmp_path: Path) -> None:
    values = _hostile(shared / "injected")
    shared.chmod(0o777)
    names = [f"v{number}" for number in range(len(values))]
    printing = "".join(f"printf '%s\\037' \"${name}\"\n" for name in names)
    survey = [{"name": name, "kind": "text"} for name in names] + [{"name": "many", "kind": "lines"}]
    files = {
        "by-command": {"command": printing + 'printf "%s" "$many"'},
        # Without quotes a shell splits and globs it; it never runs it.
        "unquoted": {
            "command": "for x in " + " ".join(f"${name}" for name in names) + '; do printf "%s\\n" "$x"; done'
        },
        "by-script": {
            "script": "#!/usr/bin/env python3\nimport os, sys\n"
            f"print('\\x1f'.join([*(os.environ[n] for n in {names}), os.environ['many'], *sys.argv[1:]]), end='')",
            "arguments": ["{{ v0 }}", "x{{ v2 }}y"],
        },
    }
    for name, work in files.items():
        definition = {"title": name, "work": work, "query": "name:web01", "survey": survey}
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name, **definition}))
    many = "a\n" + values[0] + "\n'"
    (tmp_path / "many").write_text(many)
    applied = lab.qd("templates", "apply", *(str(tmp_path / f"{name}.json") for name in files), "-o", "json")
    assert [row["result"] for row in json.loads(applied.stdout)] == ["made"] * 3
    again = lab.qd("templates", "apply", str(tmp_path / "by-command.json"), "-o", "json")
    assert json.loads(again.stdout)[0]["result"] == "unchanged"
    words = [word for name, value in zip(names, values, strict=True) for word in ("--set", f"{name}={value}")]
    words += ["--set", f"many=@{tmp_path / 'many'}"]
    printed = {}
    for name in files:
        done = lab.qd("templates", "run", name, *words, "-o", "json")
        printed[name] = json.loads(done.stdout)["hosts"][0]["stdout"]
    assert printed["by-command"] == "\x1f".join([*values, many])
    assert printed["by-script"] == "\x1f".join([*values, many, values[0], f"x{values[2]}y"])
    assert not (shared / "injected").exists()


def test_the_library_does_what_it_says(lab: Instance) -> None:
    lab.qd("templates", "apply", "--library", "collect-diagnostics", "--library", "disk-cleanup")
    words = ["-q", "name:web01", "--set", "what=memory,disks", "-o", "json"]
    done = json.loads(lab.qd("templates", "run", "collect-diagnostics", *words).stdout)
    printed = done["hosts"][0]["stdout"]
    assert "== memory" in printed
    assert "== system" not in printed
    shown = lab.qd("templates", "show", "collect-diagnostics")
    assert "what" in shown.stdout
    refused = lab.qd("templates", "run", "collect-diagnostics", "-q", "name:web01", "--set", "what=$(id)", check=False)
    assert refused.returncode == 65
    assert "none of the choices" in refused.stderr
    exported = lab.qd("templates", "export", "collect-diagnostics").stdout
    assert "script: |\n" in exported
    assert hosts(lab, done["run"])["web01"]["status"] == "ok"
    listed = json.loads(lab.qd("runs", "list", "--template", "collect-diagnostics", "-o", "json").stdout)
    assert [row["answers"]["what"] for row in listed] == [["memory", "disks"]]
