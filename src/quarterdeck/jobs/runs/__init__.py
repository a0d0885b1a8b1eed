"""Runs: work on hosts, from the request to the last of them; see docs/concepts/runs.md."""
