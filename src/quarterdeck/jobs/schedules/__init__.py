"""Schedules: runs that begin by themselves, with the rights of whoever made them."""
