"""Senders of telemetry and the items that they belong to."""
