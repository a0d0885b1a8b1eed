"""Quarterdeck: one inventory, one query language and one timeline to operate a fleet."""

__version__ = "0.1.0"
