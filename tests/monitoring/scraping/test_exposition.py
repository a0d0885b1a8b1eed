"""Our reader of expositions against that of prometheus-client: the same samples, at many times the speed."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Sample

from quarterdeck.telemetry.exposition import family_of, number_text, parse, series_of
from quarterdeck.telemetry.receiving import Refused

Found = list[tuple[str, dict[str, str], str, float | None]]


def _ours(text: str, *, is_openmetrics: bool) -> Found:
    found = []
    for series, value, at in parse(text, is_openmetrics=is_openmetrics).samples:
        name, labels = series_of(series)
        found.append((name, labels, repr(value), None if at is None else at / 1000))
    return found


def _theirs(samples: list[Sample]) -> Found:
    return [
        (
            one.name,
            {name: value for name, value in one.labels.items() if value},
            repr(float(one.value)),
            None if one.timestamp is None else round(float(one.timestamp), 3),
        )
        for one in samples
    ]


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("temperature", 'A "gauge" \\ with\nlines', ["room"], registry=registry).labels('a"b\\c\nd{e="f"} # 1').set(
        -0.5
    )
    Gauge("strange", "", ["x"], registry=registry).labels("中文 }").set(math.nan)
    Gauge("infinite", "", registry=registry).set(math.inf)
    Counter("files", "Files", ["kind"], registry=registry).labels("x").inc(1e10)
    histogram = Histogram("size_bytes", "Size", buckets=[0.005, 1, 1e6], registry=registry)
    histogram.observe(0.5, {"trace_id": "abc}def"})
    Summary("wait_seconds", "Wait", registry=registry).observe(0.25)
    Info("build", "Build", registry=registry).info({"version": "1.0"})
    return registry


def test_it_reads_version_0_0_4_as_prometheus_client_does() -> None:
    text = generate_latest(_registry()).decode()
    theirs = [sample for family in parse_text(text) for sample in family.samples]
    assert _ours(text, is_openmetrics=False) == _theirs(theirs)
    assert len(theirs) > 15


def test_it_reads_openmetrics_as_prometheus_client_does() -> None:
    text = generate_openmetrics(_registry()).decode()
    theirs = [sample for family in parse_openmetrics(text) for sample in family.samples]
    assert "# {" in text
    assert _ours(text, is_openmetrics=True) == _theirs(theirs)


@pytest.mark.parametrize(
    "text",
    [
        "a 1",
        "a 1\n",
        "a{} 1",
        'a{b="c"} 1',
        'a{b="c",} 1 5',
        'a { b = "c" , d = "e" }  1',
        "a\t1\t-5",
        '  a{b="c"} 1  ',
        "# HELP a text # with } marks\n# TYPE a gauge\na 1",
        "#comment",
        "\n\n",
        'a{b="\\\\\\"\\n"} 1',
        "a +Inf",
        "a -Inf",
        "a NaN",
        "a 1e-300",
        "a 0.1",
        "a:b:c 1",
        'a{b=""} 1',
    ],
)
def test_it_reads_what_the_format_allows(text: str) -> None:
    theirs = [sample for family in parse_text(text) for sample in family.samples]
    assert _ours(text, is_openmetrics=False) == _theirs(theirs)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a b",
        "a 1 2 3",
        "a 1 x",
        "1a 1",
        "{} 1",
        'a{b="c} 1',
        "a{b=c} 1",
        'a{b="c"',
        'a{b="c"}',
        'a{b="c" d="e"} 1',
        'a{b="c",b="d"} 1',
        'a{1b="c"} 1',
        "a 1_000",
        'a{b="c"} 1 # {x="y"} 1',
        "a} 1",
        'a{b="c"}} 1',
        "a{,} 1",
        "中 1",
        "a 1 1.5",
        "a 1 99999999999999999999",
    ],
)
def test_it_refuses_what_the_format_does_not_allow(text: str) -> None:
    with pytest.raises(Refused):
        _ours(text, is_openmetrics=False)


def test_openmetrics_has_to_end_and_counts_in_seconds() -> None:
    with pytest.raises(Refused):
        parse("a 1\n", is_openmetrics=True)
    assert _ours('a{b="c"} 1 1795694400.123 # {t="}"} 0.5\n# EOF\n', is_openmetrics=True) == [
        ("a", {"b": "c"}, "1.0", 1795694400.123)
    ]


def test_it_knows_which_family_a_sample_is_of() -> None:
    types = {"h": "histogram", "s": "summary", "c": "counter", "c_total": "gauge"}
    families = {
        name: family_of(name, types) for name in ("h_bucket", "h_sum", "s_count", "s_bucket", "c_total", "x_sum")
    }
    assert families == {
        "h_bucket": "h",
        "h_sum": "h",
        "s_count": "s",
        "s_bucket": "s_bucket",
        "c_total": "c_total",
        "x_sum": "x_sum",
    }


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (0.005, "0.005"),
        (1e6, "1e+06"),
        (123456789, "1.23456789e+08"),
        (100000, "100000"),
        (1e-5, "1e-05"),
        (-2.5, "-2.5"),
        (0, "0"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (0.1, "0.1"),
    ],
)
def test_it_writes_numbers_as_go_does(number: float, text: str) -> None:
    assert number_text(float(number)) == text


_NAME = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
_LABEL = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)


@seed(4)
@settings(max_examples=200, deadline=None, database=None)
@example("a", {"b": "} 1 # {"}, 1.0)
@example("a", {"b": "\\"}, 1.0)
@given(_NAME, st.dictionaries(_LABEL, _TEXT.filter(bool), max_size=4), st.floats())
def test_what_is_written_is_read(name: str, labels: dict[str, str], value: float) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")

    inside = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items())
    line = f"{name}{{{inside}}} {number_text(value)}\n"
    assert _ours(line, is_openmetrics=False) == [(name, labels, repr(value), None)]


@seed(5)
@settings(max_examples=300, deadline=None, database=None)
@given(st.text(max_size=80) | st.text(alphabet='a{}b="\\,# \n1.eEOF+', max_size=60))
def test_it_takes_whatever_comes(text: str) -> None:
    for is_openmetrics in (False, True):
        try:
            for series, _value, _at in parse(text, is_openmetrics=is_openmetrics).samples:
                series_of(series)
        except Refused:
            continue


def test_it_takes_no_longer_for_text_made_to_be_slow() -> None:
    started = time.monotonic()
    for text in (
        'a{b="' + "\\" * 200_001,
        "a{" + '""' * 100_000,
        "a{" + 'b="c",' * 10_000 + "} 1",
        "a" * 200_000,
        "a " + "1" * 200_000,
        "a{" + ",".join(f'l{n}="{n}"' for n in range(10_000)) + "} 1",
        "#" * 200_000,
        'a{b="c"} # ' + "{" * 200_000,
    ):
        try:
            _ours(text, is_openmetrics=False)
        except Refused:
            continue
    assert time.monotonic() - started < 10
