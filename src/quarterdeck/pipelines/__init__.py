"""Repositories, builds, artifacts. Empty until pipelines are built."""
