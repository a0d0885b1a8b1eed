"""What changed against the time before: as plain Python counts it over the same lines, and with what it must bear."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping

import pytest
from tests.logs.lines import ago, line, load
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.logs.queries import Changes, Search, changed, find
from quarterdeck.telemetry import client, differing
from quarterdeck.telemetry.canonical import LogRow
from quarterdeck.telemetry.differing import Difference, Share

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
MINUTES = 30


@pytest.fixture(autouse=True)
def _empty(logs: Engine) -> None:
    return


def of_last_minutes(query: str = "") -> Changes:
    return changed(SYSTEM, Search(query, ago(minutes=MINUTES), ago(minutes=0)), limit=50)


def field_of(found: Changes, name: str) -> Difference:
    return next(one for one in found.fields.fields if one.field == name)


def value_of(found: Changes, field: str, text: str) -> Share:
    return next(one for one in field_of(found, field).values if one.text == text)


def some(seed: int = 7) -> dict[str, list[dict[str, str]]]:
    """Lines by set, as fields: a version comes, a host goes, one status rises; the path stays as it was."""
    chance = random.Random(seed)
    sets: dict[str, list[dict[str, str]]] = {"before": [], "now": []}
    for name, count in (("before", 400), ("now", 300)):
        for number in range(count):
            fields = {
                "path": chance.choice(["/a", "/b", "/c"]),
                "status": chance.choices(["200", "500"], (0.97, 0.03) if name == "before" else (0.7, 0.3))[0],
                "id": f"{name}-{number}",
            }
            if name == "now" and number % 2:
                fields["version"] = "2.0"
            sets[name].append(fields)
    return sets


def stored(sets: Mapping[str, Iterable[dict[str, str]]]) -> None:
    rows: list[LogRow] = []
    for name, every in sets.items():
        at = ago(minutes=MINUTES // 2 if name == "now" else MINUTES + MINUTES // 2)
        rows += [line(f"served {one.get('path')}", at, service="shop", attributes=one) for one in every]
    load(*rows)


def expected(before: list[dict[str, str]], now: list[dict[str, str]], field: str) -> tuple[float, float]:
    """The score and its deviations, from the definition: what the value tells about the set, of all there is."""
    counts = [Counter(one.get(field) for one in rows) for rows in (now, before)]
    rare = {value for value in counts[0] | counts[1] if value and counts[0][value] + counts[1][value] < 5}
    for count in counts:
        lone = sum(count.pop(value, 0) for value in rare)
        count["rest"] += lone
    sizes = [len(now), len(before)]
    size = sum(sizes)

    def entropy(values: Iterable[float]) -> float:
        return -sum(one * math.log2(one) for one in values if one)

    cells = [value for value in counts[0] | counts[1] if counts[0][value] + counts[1][value]]
    mixed = entropy((counts[0][value] + counts[1][value]) / size for value in cells)
    apart = sum(sizes[side] / size * entropy(counts[side][value] / sizes[side] for value in cells) for side in (0, 1))
    divergence, degrees = mixed - apart, len(cells) - 1
    most = entropy(one / size for one in sizes)
    score = max(0.0, (divergence - degrees / (2 * size * math.log(2))) / most)
    chi = max(0.0, 2 * size * math.log(2) * divergence)
    return score, ((chi / degrees) ** (1 / 3) - 1 + 2 / (9 * degrees)) / math.sqrt(2 / (9 * degrees))


def test_fields_differ_as_counted_line_by_line() -> None:
    sets = some()
    stored(sets)
    found = of_last_minutes()
    assert (found.fields.now, found.fields.before, found.fields.is_sampled) == (300, 400, False)
    assert [one.field for one in found.fields.fields] == ["version", "status"]
    for one in found.fields.fields:
        score, deviations = expected(sets["before"], sets["now"], one.field)
        assert one.score == pytest.approx(score, abs=1e-9)
        assert one.deviations == pytest.approx(deviations, abs=1e-6)
        for share in one.values:
            value = None if share.kind == "absent" else share.text
            counts = [sum(row.get(one.field) == value for row in sets[name]) for name in ("now", "before")]
            assert [share.now, share.before] == counts
            assert [share.now_share, share.before_share] == pytest.approx([counts[0] / 300, counts[1] / 400])
    assert expected(sets["before"], sets["now"], "path")[1] < differing.DEVIATIONS_LEAST


def test_new_and_vanished_values_are_named() -> None:
    stored({"before": [{"host": "x", "zone": "old"}] * 20, "now": [{"host": "x", "zone": "new"}] * 20})
    found = of_last_minutes()
    assert [one.field for one in found.fields.fields] == ["zone"]
    assert value_of(found, "zone", "new").is_new
    assert value_of(found, "zone", "old").is_gone
    assert field_of(found, "zone").score > 0.97


def test_templates_differ_as_counted_line_by_line() -> None:
    before, now = ago(minutes=45), ago(minutes=15)
    load(
        *(line(f"served order {n} in {n} ms", before) for n in range(100)),
        *(line(f"served order {n} in {n} ms", now) for n in range(100)),
        *(line(f"card {n} declined", now, level="error") for n in range(25)),
        *(line(f"cache hit {n}", before) for n in range(25)),
        *(line("rare", now) for _n in range(4)),
    )
    found = of_last_minutes()
    card, cache = sorted(found.patterns, key=lambda one: one.before)
    assert (card.template, card.now, card.before, card.is_new, card.level) == (
        "card <num> declined",
        25,
        0,
        True,
        "error",
    )
    assert (cache.template, cache.now, cache.before, cache.is_gone) == ("cache hit <num>", 0, 25, True)
    assert card.now_share == pytest.approx(25 / 129)
    mean = 25 / 254
    spread = math.sqrt(mean * (1 - mean) * (1 / 129 + 1 / 125))
    assert card.deviations == pytest.approx(25 / 129 / spread)
    assert found.patterns_known == 4
    selected = find(SYSTEM, Search(card.query, ago(minutes=MINUTES), ago(minutes=0)), limit=100)
    assert len(selected.lines) == 25


def test_the_query_and_the_time_choose_the_lines() -> None:
    stored(some())
    found = of_last_minutes("status:500")
    assert found.fields.now + found.fields.before < 200
    assert "status" not in [one.field for one in found.fields.fields]
    assert value_of(found, "version", "2.0").is_new


@pytest.mark.parametrize("sets", [{}, {"now": [{"a": "b"}] * 9}, {"before": [{"a": "b"}] * 9}])
def test_an_empty_side_has_nothing_to_compare(sets: dict[str, list[dict[str, str]]]) -> None:
    stored(sets) if sets else None
    found = of_last_minutes()
    assert (found.fields.now, found.fields.before) == (len(sets.get("now", [])), len(sets.get("before", [])))
    assert found.fields.fields == []
    assert found.patterns == []


def test_hostile_names_and_values_stay_text() -> None:
    bad = '<script>alert("1")</script>\x1b[31m\x00\'; DROP TABLE logs --'
    long = "x" * 1_000_000
    stored({"before": [{}] * 20, "now": [{bad: bad, "": "empty", "level": "mine", "n0te": bad} for _n in range(20)]})
    load(*(line(long, ago(minutes=15), attributes={"dump": long}) for _n in range(20)))
    found = of_last_minutes()
    names = {one.field for one in found.fields.fields}
    assert {bad, "attributes.level", "n0te", "dump"} <= names
    assert "" not in names
    assert value_of(found, "n0te", bad).is_new
    dump = next(one for one in field_of(found, "dump").values if one.kind == "value")
    assert (dump.is_cut, len(dump.text)) == (True, differing.TEXT_BYTES)
    assert all(len(one.template) <= 500 for one in found.patterns)


def test_a_million_values_cost_no_more_than_their_sample() -> None:
    """Ids tell nothing, a field that came with the million does, and shares are those of all lines."""
    for part in range(10):
        client.command(
            "INSERT INTO logs (ts, service, message, attributes) SELECT"
            " fromUnixTimestamp64Milli(toInt64({start:Int64} + number * 3), 'UTC'), 'shop',"
            " concat('order ', toString(number)), map('id', toString(sipHash64(number)), 'request',"
            " concat('r', toString(number)), 'shard', if(number >= 600000 AND number % 10 = 0, 'new', 'old'))"
            " FROM numbers({first:UInt64}, 100000)",
            {"start": int(ago(seconds=3000).timestamp() * 1000), "first": part * 100_000},
        )
    found = changed(SYSTEM, Search("", ago(seconds=1500), ago(seconds=0)))
    assert found.fields.is_sampled
    assert found.fields.now + found.fields.before > 990_000
    assert [one.field for one in found.fields.fields] == ["shard"]
    new = value_of(found, "shard", "new")
    assert new.is_new
    assert new.now_share == pytest.approx(0.08, abs=0.01)
    assert new.now == pytest.approx(40_000, rel=0.1)


def test_fields_beyond_the_most_frequent_are_left_out_and_counted() -> None:
    stored({name: [{f"f{n}": "1" for n in range(90)} for _n in range(10)] for name in ("before", "now")})
    more = [{f"g{n + 90 * part}": "1" for n in range(90)} for part in range(3) for _n in range(6)]
    stored({"now": more})
    found = of_last_minutes().fields
    assert found.known > found.compared == differing.FIELDS_MAX
