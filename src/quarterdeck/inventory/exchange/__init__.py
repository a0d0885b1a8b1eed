"""Inventory files in and out: what is exported imports again unchanged."""
