"""Generated requests to every operation of a running instance: no bug, and every answer as the description says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
import schemathesis.pytest
from hypothesis import HealthCheck, assume, settings
from requests import Session
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from schemathesis.transport.requests import ManagedCookiesSession
from tests.lab.instances import Instance, running_instance

from quarterdeck.api.main import api

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

EXAMPLES = 4
# A query or a code that no schema can describe is refused (400, 404), and text is taken for what the attribute's kind
# or the parameter's type makes of it: both are wanted.
NOT_CHECKED = [positive_data_acceptance, negative_data_rejection]

# From a fixture, so that requests are thought out when the test runs and not by every worker that collects it.
schema = schemathesis.pytest.from_fixture("described")
# This one could revoke the token that the test itself sends.
schema = schema.exclude(path="/api/v1/tokens/{token_id}", method="DELETE")
# A stream that ends when the client leaves: each example would wait for the client's time limit.
schema = schema.exclude(path="/api/v1/logs/tail", method="GET")


@pytest.fixture(scope="module")
def described() -> BaseSchema:
    return schemathesis.openapi.from_dict(api.get_openapi_schema(path_prefix="/api/v1/"))


@pytest.fixture(scope="module")
def target() -> Iterator[Instance]:
    """An instance of its own: what is generated stays in its inventory."""
    with running_instance({"QD_API_RATE_PER_MINUTE": "10000000", "QD_LOG_LEVEL": "warning"}) as running:
        yield running


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """One connection for the thousands of requests; no setting of this machine, such as a proxy, is asked for."""
    with ManagedCookiesSession() as kept:
        kept.trust_env = False
        yield kept


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_answers_as_described(case: Any, target: Instance, session: Session) -> None:
    # The HTTP server refuses longer addresses before the API sees them.
    assume(len(urlencode({name: str(value) for name, value in (case.query or {}).items()})) < 60_000)
    headers = {"Authorization": f"Bearer {target.token}"}
    case.call_and_validate(base_url=target.url, session=session, headers=headers, excluded_checks=NOT_CHECKED)
