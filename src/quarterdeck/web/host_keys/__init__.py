"""Pages of host keys."""
