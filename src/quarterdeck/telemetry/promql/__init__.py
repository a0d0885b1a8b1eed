"""PromQL on the engine: a query is parsed, lowered to ONE statement of SQL, and answered by the engine alone.

Every node of the expression becomes a sub-query (`plan.Vector`): a row for each series, with its labels and its values
as an array over the grid of steps. So the whole expression nests into one SELECT, and Python sees results only.
See https://prometheus.io/docs/prometheus/latest/querying/basics/ and `docs/concepts/promql.md`.
"""
