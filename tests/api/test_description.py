"""The description at /api/v1/openapi.json, and the page that shows it."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict

import pytest
from tests.api.conftest import ApiClient

import quarterdeck.api.routers
import quarterdeck.api.shapes

pytestmark = pytest.mark.django_db


def test_it_is_an_openapi_3_1_description_for_everybody(anonymous: ApiClient) -> None:
    response = anonymous.call("GET", "/openapi.json")
    schema = response.json()
    assert response.status_code == 200
    assert schema["openapi"].startswith("3.1")
    assert {"BearerToken", "Session"} <= set(schema["components"]["securitySchemes"])
    item = schema["paths"]["/api/v1/items/{item_id}"]["patch"]
    assert item["operationId"] == "items_change"
    assert {"200", "401", "403", "404", "409", "412", "422", "429"} <= set(item["responses"])
    assert "Idempotency-Key" in {parameter["name"] for parameter in item["parameters"]}


def test_every_operation_is_described_in_words(anonymous: ApiClient) -> None:
    paths = anonymous.call("GET", "/openapi.json").json()["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert all(operation.get("description") for operation in operations)
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))


def test_two_shapes_never_share_a_name() -> None:
    """Of two with one name, the description would show the last for both."""
    homes = defaultdict(set)
    for package in (quarterdeck.api.routers, quarterdeck.api.shapes):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, kind in vars(importlib.import_module(module.name)).items():
                if isinstance(kind, type) and kind.__module__.startswith("quarterdeck.api"):
                    homes[name].add(kind.__module__)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_its_page_loads_nothing_from_elsewhere(anonymous: ApiClient) -> None:
    page = anonymous.call("GET", "/docs").content.decode()
    assert "swagger-ui" in page
    assert "http://" not in page
    assert "https://" not in page
