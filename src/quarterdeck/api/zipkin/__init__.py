"""Zipkin's API v2 for reading, so that its UI and Grafana show what is here.

See https://zipkin.io/zipkin-api/zipkin2-api.yaml and the server's ZipkinQueryApiV2.
"""
