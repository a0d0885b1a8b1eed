"""Hosts put under management by their names: into the inventory, with how they are reached and what signs in.

planning.py    patterns become hosts; no records are asked
actions.py     add them
"""
