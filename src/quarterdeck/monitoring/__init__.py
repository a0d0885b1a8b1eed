"""Collection of measurements, checks, rules, alerts."""
