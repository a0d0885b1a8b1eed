"""Facts of a reached host: one script of POSIX sh, run as the account has it, read by pure functions.

script.sh      what runs on the host; needs no more than busybox has
tree.py        its output as files and answers of commands
parsing.py     those as facts, in the form of the inventory's own machine
packages.py    lists of installed packages
gathering.py   many hosts at once
actions.py     facts into the inventory, by its one write path
"""
