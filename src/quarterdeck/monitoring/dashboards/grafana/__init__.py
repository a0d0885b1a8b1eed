"""Grafana's dashboard JSON as our definition, with a report of what could not be taken.

See https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from quarterdeck.monitoring.dashboards.grafana.reading import Imported, Note, is_grafana, read_grafana

__all__ = ["Imported", "Note", "is_grafana", "read_grafana"]
