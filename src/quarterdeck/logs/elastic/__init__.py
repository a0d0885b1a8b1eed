"""Elasticsearch's search: its query DSL and aggregations as statements for the engine, over the same lines as ours.

See https://www.elastic.co/docs/reference/query-languages/querydsl
"""
