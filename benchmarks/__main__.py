"""`python -m benchmarks [NAME ...]`: run the named benchmarks, or all, each in a process of its own."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import benchmarks


def main(chosen: list[str]) -> int:
    """Return the exit status: 0 when every benchmark ran to its end."""
    names = sorted(
        module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")
    )
    unknown = set(chosen) - set(names)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}\nhint: one of {', '.join(names)}", file=sys.stderr)
        return 2
    failed = []
    for name in chosen or names:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
