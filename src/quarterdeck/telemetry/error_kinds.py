"""Kinds of rows of `error_events` that are no errors: what was found in traces, see `errors.performance`."""

from __future__ import annotations

N_PLUS_ONE, SLOW_QUERY = "n_plus_one", "slow_query"
PERFORMANCE = (N_PLUS_ONE, SLOW_QUERY)
# The condition that leaves them out.
IS_ERROR = f"error_events.kind NOT IN {PERFORMANCE}"
