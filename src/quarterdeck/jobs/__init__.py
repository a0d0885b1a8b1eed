"""Runs: query -> hosts -> output. Empty until runs are built."""
