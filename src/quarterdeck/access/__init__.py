"""Users, roles scoped by query, tokens; the one place that says who may do what."""
