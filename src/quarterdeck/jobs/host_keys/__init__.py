"""The keys by which hosts are recognized: shown, approved by somebody, and an alarm when they change.

using.py       what a piece of work asks for before it, and hands back after it
actions.py     approve, refuse, forget
importing.py   what a known_hosts file brings
alarming.py    events and samples of changed keys
fields.py      the query language over them
"""
