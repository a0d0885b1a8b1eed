"""How a PromQL query fails; the names of the kinds are those of Prometheus' HTTP API.

BadExpression     "bad_data": it does not parse, or asks for what there is not
ExecutionFailed   "execution": it parses, and its evaluation has no answer (many-to-many matching ...)
"""

from __future__ import annotations

from quarterdeck.core.errors import BadInput, BadQuery


class BadExpression(BadQuery):
    code = "bad_data"


class ExecutionFailed(BadInput):
    code = "execution"
