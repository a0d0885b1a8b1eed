"""Every table of jobs, where Django looks for them."""

from quarterdeck.jobs.host_keys.models import HostKey
from quarterdeck.jobs.runs.models import Run, RunHost, Shard

__all__ = ["HostKey", "Run", "RunHost", "Shard"]
