"""Metrics of this machine and its containers, read every few seconds."""
