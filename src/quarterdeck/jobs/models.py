"""Every table of jobs, where Django looks for them."""

from quarterdeck.jobs.host_keys.models import HostKey

__all__ = ["HostKey"]
