"""Traces, service map, RED figures, slow statements. No tables of its own: it reads telemetry."""
