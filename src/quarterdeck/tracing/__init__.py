"""Traces, service map, RED figures, slow statements. Empty until traces are received."""
