"""Every table of jobs, where Django looks for them."""

from quarterdeck.jobs.facts.models import InstalledPackages
from quarterdeck.jobs.files.models import FilePart, StoredFile
from quarterdeck.jobs.guards.models import GuardRule
from quarterdeck.jobs.host_keys.models import HostKey
from quarterdeck.jobs.runs.models import Run, RunHost, Shard
from quarterdeck.jobs.schedules.models import Firing, Schedule
from quarterdeck.jobs.templates.models import Template
from quarterdeck.jobs.terminals.models import TerminalSession

__all__ = [
    "FilePart", "Firing", "GuardRule", "HostKey", "InstalledPackages", "Run", "RunHost", "Schedule", "Shard",
    "StoredFile", "Template", "TerminalSession",
]  # fmt: skip
