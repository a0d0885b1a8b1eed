"""The one query language: `env:prod role:(web OR api) -os:debian cpu:>=4 "kernel panic"`.

`parse` gives a tree that knows no store, `compile_q` and `compile_node` make conditions of it.
"""

from quarterdeck.core.query.compiling import Condition, Fields, compile_node, compile_q
from quarterdeck.core.query.nodes import And, Everything, Match, Node, Not, Op, Or, Text, Value, leaves, mentions
from quarterdeck.core.query.parsing import parse
from quarterdeck.core.query.wildcards import wildcards
from quarterdeck.core.query.writing import condition_text, narrowed

__all__ = [
    "And",
    "Condition",
    "Everything",
    "Fields",
    "Match",
    "Node",
    "Not",
    "Op",
    "Or",
    "Text",
    "Value",
    "compile_node",
    "compile_q",
    "condition_text",
    "leaves",
    "mentions",
    "narrowed",
    "parse",
    "wildcards",
]
