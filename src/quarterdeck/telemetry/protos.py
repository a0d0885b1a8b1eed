"""Protobuf messages made from a few lines, to check what senders send at the speed of C, without generated code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from quarterdeck.telemetry.receiving import Refused

_FieldType = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _FieldType.TYPE_STRING,
    "bytes": _FieldType.TYPE_BYTES,
    "int32": _FieldType.TYPE_INT32,
    "int64": _FieldType.TYPE_INT64,
    "uint32": _FieldType.TYPE_UINT32,
    "uint64": _FieldType.TYPE_UINT64,
    "sint32": _FieldType.TYPE_SINT32,
    "sint64": _FieldType.TYPE_SINT64,
    "fixed64": _FieldType.TYPE_FIXED64,
    "double": _FieldType.TYPE_DOUBLE,
    "bool": _FieldType.TYPE_BOOL,
}


def define(package: str, messages: Mapping[str, Mapping[str, tuple[int, str]]]) -> dict[str, type[Message]]:
    """Return message classes by name: `define("prometheus", {"Label": {"name": (1, "string")}, ...})`.

    A type is one of protobuf's scalars or a message's name; `repeated` before it makes a list.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"quarterdeck/{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(message, package, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def _add_field(message: Any, package: str, name: str, number: int, kind: str) -> None:
    label = _FieldType.LABEL_REPEATED if kind.startswith("repeated ") else _FieldType.LABEL_OPTIONAL
    kind = kind.removeprefix("repeated ")
    field = message.field.add(name=name, number=number, label=label)
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type = _FieldType.TYPE_MESSAGE
        field.type_name = f".{package}.{kind}"


def source(messages: Mapping[str, Mapping[str, tuple[int, str]]]) -> str:
    """Return the same messages as a .proto file's text, which the engine reads."""
    parts = ['syntax = "proto3";']
    for name, fields in messages.items():
        lines = " ".join(f"{kind} {field} = {number};" for field, (number, kind) in fields.items())
        parts.append(f"message {name} {{ {lines} }}")
    return "\n".join(parts)


def parsed(kind: type[Message], body: bytes) -> Any:
    """Return the message in `body`. Raises Refused."""
    message = kind()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Refused(f"the body is no {kind.DESCRIPTOR.name}: {error}") from error
    return message


def known(message: Any) -> bytes:
    """Return the message written anew, with the fields that we know and no others.

    A known field with another type on the wire is an unknown one to protobuf, and a fault to the engine: what was
    checked here has to be readable there.
    """
    message.DiscardUnknownFields()
    content: bytes = message.SerializeToString()
    return content
