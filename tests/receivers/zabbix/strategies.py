"""What a peer may send on Zabbix' port: requests that are nearly right, in frames that are nearly right."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

from hypothesis import strategies as st

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
_KEYS = st.sampled_from(["agent.ping", "log[/x]", "vfs.fs.discovery", "a[b,c]", 'a["b', "[", ""]) | st.text(max_size=30)
_VALUES = st.fixed_dictionaries(
    {"key": _KEYS | _JSON, "value": st.sampled_from(["1", "1e999", "NaN", "[]", '[{"{#FSNAME}":"/"}]', "x"]) | _JSON},
    optional={
        "host": st.sampled_from(["web1", "", "\u0000"]) | _JSON,
        "clock": st.integers() | st.floats() | st.sampled_from([0, 4102444800, 1795694400, "1795694400"]),
        "ns": st.integers() | _JSON,
        "id": st.integers() | _JSON,
        "itemid": st.integers() | _JSON,
        "state": st.sampled_from([0, 1]) | _JSON,
        "lastlogsize": st.integers() | _JSON,
        "mtime": _JSON,
        "severity": _JSON,
        "source": _JSON,
    },
)
_REQUESTS = st.fixed_dictionaries(
    {
        "request": st.sampled_from(["sender data", "agent data", "active checks", "active check heartbeat"]) | _JSON,
    },
    optional={
        "data": st.lists(_VALUES | _JSON, max_size=5) | _JSON,
        "host": st.sampled_from(["web1", "é"]) | _JSON,
        "session": st.sampled_from(["s1", "s2"]) | _JSON,
        "version": st.sampled_from(["6.0", "7.0.1", "x"]) | _JSON,
        "host_metadata": _JSON,
        "config_revision": _JSON,
        "heartbeat_freq": st.integers() | _JSON,
    },
)


@st.composite
def _frames(draw: st.DrawFn) -> bytes:
    request: Any = draw(_REQUESTS)
    content = draw(st.just(json.dumps(request).encode()) | st.binary(max_size=60))
    flags = draw(st.sampled_from([1, 3, 5, 7]) | st.integers(0, 255))
    length = len(content)
    if flags & 2:
        content, length = zlib.compress(content), len(content)
    lengths = [draw(st.just(len(content)) | st.integers(0, 1 << 31)), draw(st.just(length) | st.integers(0, 1 << 31))]
    return b"ZBXD" + bytes((flags,)) + struct.pack("<QQ" if flags & 4 else "<II", *lengths) + content


def connections() -> st.SearchStrategy[bytes]:
    """Everything that a peer sends on one connection."""
    return st.lists(_frames(), max_size=3).map(b"".join) | st.binary(max_size=100)
