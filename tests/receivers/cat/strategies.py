"""What a client may send on CAT's port: frames that are nearly right."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

_TEXTS = st.sampled_from(
    ["", "0", "URL", "SQL", "System", "TransactionAggregator", "@3;1;70;20,2|30,1;", "@3;1", "@x", "S,C", "C", "7,250",
     "nan", "<status><memory max='1'/><extension id='a'><extensionDetail id='b' value='2'/></extension></status>",
     "null"]
) | st.text(max_size=12)  # fmt: skip
_NUMBERS = st.integers(0, 1 << 64) | st.sampled_from([0, 1795694400000, 4102444800000])
_PT1_TIMES = st.sampled_from(["2026-11-26 20:00:00.000", "1970-01-01 00:00:00.000", "2026-13-01 00:00:00.000", ""])


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def text(value: str) -> bytes:
    encoded = value.encode(errors="replace")
    return varint(len(encoded)) + encoded


@st.composite
def _binary(draw: st.DrawFn) -> bytes:
    parts = [b"NT1", *(text(draw(_TEXTS)) for _ in range(draw(st.sampled_from([10, 10, 10, 9]))))]
    depth = 0
    for kind in draw(st.lists(st.sampled_from("tTEMHLx"), max_size=10)):
        parts.append(kind.encode())
        if kind == "t":
            depth += 1
            parts += [varint(draw(_NUMBERS)), text(draw(_TEXTS)), text(draw(_TEXTS))]
        elif kind == "T":
            depth -= 1
            parts += [text(draw(_TEXTS)), text(draw(_TEXTS)), varint(draw(_NUMBERS))]
        else:
            parts += [varint(draw(_NUMBERS)), *(text(draw(_TEXTS)) for _ in range(4))]
    parts += [b"T" + text("0") + text(draw(_TEXTS)) + varint(draw(_NUMBERS))] * max(0, depth)
    return b"".join(parts)


@st.composite
def _plain(draw: st.DrawFn) -> bytes:
    lines = ["\t".join(["PT1", *(draw(_TEXTS) for _ in range(10))])]
    for kind in draw(st.lists(st.sampled_from("tTAEMHL"), max_size=8)):
        count = {"t": 2, "T": 5, "A": 5}.get(kind, 4)
        fields = [draw(_TEXTS) for _ in range(count)]
        if count == 5:
            fields[3] = draw(st.sampled_from(["12us", "999999999999999999us", "us", ""]))
        lines.append("\t".join([kind + draw(_PT1_TIMES), *fields, ""]))
    return "\n".join(lines).encode(errors="replace")


@st.composite
def _bag(draw: st.DrawFn) -> bytes:
    count = draw(st.integers(0, 3))
    metrics = [
        varint(draw(_NUMBERS))
        + text(draw(_TEXTS))
        + text(draw(_TEXTS))
        + b"".join(varint(draw(_NUMBERS)) for _ in "123")
        for _ in range(count)
    ]
    return (
        b"NM1"
        + b"".join(text(draw(_TEXTS)) for _ in "123")
        + varint(draw(st.just(count) | _NUMBERS))
        + b"".join(metrics)
    )


@st.composite
def _frames(draw: st.DrawFn) -> bytes:
    content = draw(_binary() | _plain() | _bag() | st.binary(max_size=40))
    content = content[: draw(st.just(len(content)) | st.integers(0, len(content)))]
    return struct.pack(">I", draw(st.just(len(content)) | st.integers(0, 1 << 22))) + content


def connections() -> st.SearchStrategy[bytes]:
    """Everything that a client sends on one connection."""
    requests = st.sampled_from(
        [b"Get http://h:1/cat/s/router?op=json HTTP/1.0\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n", b"get "]
    )
    return st.lists(_frames(), max_size=3).map(b"".join) | requests | st.binary(max_size=100)
