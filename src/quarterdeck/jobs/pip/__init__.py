"""Python packages and virtual environments on hosts: commands for `remote.running`, and what their output says.

Nothing here does I/O. A command that changes something lists the packages before and after in one go, so that "changed"
and "ok" are what happened, with any version of pip.
"""
