"""HTTP API: one router file per capability."""
