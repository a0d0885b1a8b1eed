"""Elasticsearch's HTTP API for reading, under /es/: for Grafana, the `elasticsearch` clients and scripts.

See https://www.elastic.co/docs/api/doc/elasticsearch/
"""
