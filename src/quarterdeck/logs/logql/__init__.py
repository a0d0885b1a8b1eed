"""LogQL, the language that Grafana asks Loki in: parsed, lowered to one statement, answered by the engine.

See https://grafana.com/docs/loki/latest/query/
"""
