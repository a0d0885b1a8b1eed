"""Runs: query -> hosts -> output. So far: how a host of the inventory is reached."""
