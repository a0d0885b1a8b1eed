"""Query language, errors, plug-in loading, clock, units, ids: no tables, no domain nouns."""
