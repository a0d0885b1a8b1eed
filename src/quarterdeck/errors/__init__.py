"""Error tracking. Empty until error events are received."""
