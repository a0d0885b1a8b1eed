"""What a client may send as Zipkin's spans: bodies that are nearly right."""

from __future__ import annotations

import json

from hypothesis import strategies as st

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
_IDS = st.text("0123456789abcdefABCDEF", min_size=1, max_size=32) | _JSON
_TIMES = st.sampled_from([0, 1795694400000000, 1 << 63]) | _JSON
_ENDPOINTS = st.fixed_dictionaries({}, optional={"serviceName": _JSON, "ipv4": _JSON, "port": st.integers() | _JSON})
_SPANS = st.fixed_dictionaries(
    {"traceId": _IDS, "id": _IDS},
    optional={
        "parentId": _IDS,
        "kind": st.sampled_from(["CLIENT", "SERVER", "x"]) | _JSON,
        "name": _JSON,
        "timestamp": _TIMES,
        "duration": _TIMES,
        "localEndpoint": _ENDPOINTS | _JSON,
        "remoteEndpoint": _ENDPOINTS | _JSON,
        "annotations": st.lists(
            st.fixed_dictionaries({"timestamp": _TIMES, "value": st.sampled_from(["cs", "cr", "sr", "ss"]) | _JSON})
        )
        | _JSON,
        "binaryAnnotations": st.lists(st.fixed_dictionaries({"key": st.sampled_from(["sa", "error"]), "value": _JSON}))
        | _JSON,
        "tags": st.dictionaries(st.text(max_size=6), st.text(max_size=6) | _JSON, max_size=3) | _JSON,
        "shared": st.booleans() | _JSON,
        "debug": _JSON,
    },
)


def bodies() -> st.SearchStrategy[bytes]:
    """A request's body."""
    return st.lists(_SPANS, max_size=3).map(lambda spans: json.dumps(spans).encode()) | st.binary(max_size=60)
