"""Packages, advisories, findings. Empty until scanning is built."""
