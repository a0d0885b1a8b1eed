"""The hosts and the instance that several files use."""

from tests.jobs.hosts import lab, lab_host, shared

__all__ = ["lab", "lab_host", "shared"]
