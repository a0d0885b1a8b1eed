"""Terminals on hosts and in their containers, for people, recorded."""
