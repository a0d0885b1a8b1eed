"""Settings, urls, ASGI, Celery: the only place that names every other package."""
