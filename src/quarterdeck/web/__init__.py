"""Pages: the only place that composes capabilities."""
