"""A small shop that is watched by Quarterdeck: `make demo`."""
