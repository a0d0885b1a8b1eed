"""`make fuzz`: looks for bytes that break a receiver, guided by coverage (atheris); each target is a process.

    python -m tests.fuzz.run [--inputs 100000] [--only zabbix] [--corpus DIR]

`--inputs` is how many each receiver gets, over all of its targets. What breaks one is left in DIR as crash-... or
timeout-..., and the exit code is 1.
"""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

# libFuzzer's own limits: seconds for one input, and bytes.
_SECONDS = 10
_BYTES_MAX = 1 << 16


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--corpus", type=Path, default=None)
    parser.add_argument("--child", nargs=2, metavar=("RECEIVER", "TARGET"))
    asked = parser.parse_args()
    corpus = asked.corpus or Path(tempfile.mkdtemp(prefix="quarterdeck-fuzz-"))
    _settings()
    if asked.child:
        _fuzz(*asked.child, asked.inputs, corpus)
        return 0
    return _all(asked.only, asked.inputs, corpus)


def _settings() -> None:
    os.environ.setdefault("QD_DATA", tempfile.mkdtemp(prefix="quarterdeck-fuzz-data-"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "quarterdeck.conf.settings"
    import django

    django.setup()


def _all(only: str, count: int, corpus: Path) -> int:
    from tests.fuzz.targets import targets

    broken = []
    for receiver, found in targets().items():
        if only and receiver != only:
            continue
        for name in found:
            place = corpus / name.replace(" ", "-").replace(",", "")
            each = max(1, -(-count // len(found)))
            command = [sys.executable, "-m", "tests.fuzz.run", "--inputs", str(each), "--corpus", str(place)]
            done = subprocess.run([*command, "--child", receiver, name], capture_output=True, text=True, check=False)
            _tell(name, each, done)
            if done.returncode:
                broken.append(name)
    _say(f"broken: {', '.join(broken)}; the bytes are in {corpus}" if broken else "nothing broke")
    return 1 if broken else 0


def _tell(name: str, count: int, done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        _say(f"{name}: BROKEN\n{done.stdout[-1500:]}{done.stderr[-4000:]}")
    else:
        last = [line for line in done.stderr.splitlines() if " cov: " in line][-1:]
        _say(f"{name}: {count} inputs; {last[0].split('lim:')[0].strip() if last else 'done'}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fuzz(receiver: str, name: str, count: int, corpus: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["quarterdeck.telemetry", "quarterdeck.intake"]):
        from tests.fuzz.targets import run, targets

        target = targets()[receiver][name]
    from tests.fuzz.inputs import seeds

    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:03d}").write_bytes(seed)
    limits = [f"-atheris_runs={count}", f"-max_len={_BYTES_MAX}", f"-timeout={_SECONDS}", "-seed=1"]
    arguments = [sys.argv[0], *limits, f"-artifact_prefix={corpus}/", str(corpus)]
    atheris.Setup(arguments, lambda data: run(target, data))
    # libFuzzer's alarm, which ends an input that takes too long, would end a slow end of the process as well.
    atexit.register(signal.signal, signal.SIGALRM, signal.SIG_IGN)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
