"""Dashboards: panels with PromQL, variables from the inventory and from labels, every change a version."""
