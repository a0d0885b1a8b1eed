"""SQL for OTLP's values: an AnyValue as text, attributes as a Map.

See https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto
"""

from __future__ import annotations

_SCALAR = (
    "which Enum8('no' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4),"
    " string_value String, bool_value Bool, int_value Int64, double_value Float64"
)
_SCALAR_TYPE = f"Tuple({_SCALAR})"
VALUE_TYPE = (
    "Tuple(which Enum8('no' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,"
    " 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7), string_value String, bool_value Bool,"
    f" int_value Int64, double_value Float64, array_value Tuple(values Array({_SCALAR_TYPE})),"
    f" kvlist_value Tuple(values Array(Tuple(key String, value {_SCALAR_TYPE}))), bytes_value String)"
)
ATTRIBUTES_TYPE = f"Array(Tuple(key String, value {VALUE_TYPE}))"


def _scalar_json(value: str) -> str:
    """SQL: a scalar as JSON."""
    return (
        f"multiIf({value}.which = 'string_value', toJSONString({value}.string_value),"
        f" {value}.which = 'int_value', toString({value}.int_value),"
        f" {value}.which = 'double_value', toString({value}.double_value),"
        f" {value}.which = 'bool_value', if({value}.bool_value, 'true', 'false'), 'null')"
    )


def text_of(value: str) -> str:
    """Return SQL for the AnyValue `value` as text: strings as they are, lists as JSON (to a depth of one), bytes in hex."""
    return (
        f"multiIf({value}.which = 'string_value', {value}.string_value,"
        f" {value}.which = 'int_value', toString({value}.int_value),"
        f" {value}.which = 'double_value', toString({value}.double_value),"
        f" {value}.which = 'bool_value', if({value}.bool_value, 'true', 'false'),"
        f" {value}.which = 'array_value',"
        f" concat('[', arrayStringConcat(arrayMap(e -> {_scalar_json('e')}, {value}.array_value.values), ','), ']'),"
        f" {value}.which = 'kvlist_value', concat('{{', arrayStringConcat(arrayMap("
        f"e -> concat(toJSONString(e.key), ':', {_scalar_json('e.value')}), {value}.kvlist_value.values), ','), '}}'),"
        f" {value}.which = 'bytes_value', lower(hex({value}.bytes_value)), '')"
    )


def map_of(attributes: str) -> str:
    """Return SQL for attributes (ATTRIBUTES_TYPE) as a Map in order of name."""
    return f"mapSort(mapFromArrays({attributes}.key, arrayMap(a -> {text_of('a')}, {attributes}.value)))"
