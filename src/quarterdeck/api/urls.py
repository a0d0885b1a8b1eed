"""The API's addresses, below /api/v1/."""

from __future__ import annotations

from quarterdeck.api.main import api

app_name = "api"
urlpatterns = api.urls[0]
