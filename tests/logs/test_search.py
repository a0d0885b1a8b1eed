"""The query language over lines: what each form finds, in which order, and what a person may read."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from tests.logs.lines import SHOP, ago, found, hour, line, load
from tests.telemetry.engines import Engine

from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadInput, BadQuery, Denied, NotFound, TooMany
from quarterdeck.inventory import actions
from quarterdeck.inventory.models import Item
from quarterdeck.logs.queries import Search, around, facets, find, get_line, histogram, patterns, statistics
from quarterdeck.monitoring.senders.binding import bind
from quarterdeck.telemetry import client, turns
from quarterdeck.telemetry.canonical import Sender

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _empty(logs: Engine) -> None:
    return


def some() -> None:
    load(
        line("Connection timeout to 10.0.0.7:5432", ago(minutes=9), service="shop", level="error",
             attributes={"status": "504", "path": "/api/orders", "user": "ann"}, trace_id="ab" * 16),
        line("connection established", ago(minutes=8), service="shop", level="info",
             attributes={"status": "200", "path": "/api/cart"}),
        line("worker timed out after 30s", ago(minutes=7), service="mail", host="web2", level="warn",
             resource={"region": "eu-west"}),
        line("数据库连接超时", ago(minutes=6), service="mail", level="fatal", attributes={"status": "abc"}),
        line("kernel: panic - not syncing", ago(minutes=5), service="", level=""),
    )  # fmt: skip


TIMEOUT, OPEN, WORKER, CHINESE, PANIC = (
    "Connection timeout to 10.0.0.7:5432", "connection established", "worker timed out after 30s", "数据库连接超时",
    "kernel: panic - not syncing",
)  # fmt: skip
ALL = [TIMEOUT, OPEN, WORKER, CHINESE, PANIC]
CASES = {
    "": ALL,
    "timeout": [TIMEOUT],
    "TIMEOUT connection": [TIMEOUT],
    "connect": [],
    "connect*": [TIMEOUT, OPEN],
    "*establ*": [OPEN],
    "est*hed": [OPEN],
    "*nection": [TIMEOUT, OPEN],
    "10.0.0.7": [TIMEOUT],
    "10.0.0.7:5432": [TIMEOUT],
    "0.0.7": [TIMEOUT],
    '"timeout connection"': [],
    '"connection timeout"': [TIMEOUT],
    '"panic - not"': [PANIC],
    "连接": [CHINESE],
    "接连": [],
    "数据库连接超时": [CHINESE],
    "timeout OR panic": [TIMEOUT, PANIC],
    "(timeout OR established) -established": [TIMEOUT],
    "-connection": [WORKER, CHINESE, PANIC],
    "service:shop": [TIMEOUT, OPEN],
    "service:(shop OR mail) level:>=warning": [TIMEOUT, WORKER, CHINESE],
    "service:sh*": [TIMEOUT, OPEN],
    "service:/^(shop|mail)$/": [TIMEOUT, OPEN, WORKER, CHINESE],
    "-service:*": [PANIC],
    'service:""': [PANIC],
    "level:error": [TIMEOUT],
    "level:warn": [WORKER],
    "level:<error": [OPEN, WORKER],
    "level:[info TO error]": [TIMEOUT, OPEN, WORKER],
    "level:unknown": [PANIC],
    "host:web2": [WORKER],
    "message:/time(d )?out/": [TIMEOUT, WORKER],
    "message:/(?i)^CONN/": [TIMEOUT, OPEN],
    "/[0-9]+s$/": [WORKER],
    "message:*out*": [TIMEOUT, WORKER],
    "status:504": [TIMEOUT],
    "status:>=200": [TIMEOUT, OPEN],
    "status:[200 TO 300]": [OPEN],
    "status:*": [TIMEOUT, OPEN, CHINESE],
    "-status:504": [OPEN, WORKER, CHINESE, PANIC],
    "path:/api/orders": [TIMEOUT],
    'path:"/api/orders"': [TIMEOUT],
    "path:/api/*": [TIMEOUT, OPEN],
    "user:ann": [TIMEOUT],
    "attributes.user:ann": [TIMEOUT],
    "resource.user:ann": [],
    "region:eu-west": [WORKER],
    "nothing:here": [],
    "trace:" + "AB" * 16: [TIMEOUT],
    "trace:*": [TIMEOUT],
    "ts:<-450s": [TIMEOUT, OPEN],
    "source:otlp -level:info": [TIMEOUT, WORKER, CHINESE, PANIC],
    "100%": [],
    "_": [],
}


def test_each_form_of_the_language_finds_its_lines() -> None:
    some()
    wrong = {query: got for query, lines in CASES.items() if (got := found(query)) != lines}
    assert wrong == {}


@pytest.mark.parametrize(
    "hostile", ["'", "\\", "a' OR 1=1 --", "{q1:String}", "%", "\x00", "); DROP TABLE logs", "\U0001f600"]
)
def test_a_value_may_be_anything(hostile: str) -> None:
    load(line(f"<{hostile}>", attributes={"note": hostile}, service=hostile), line("other"))
    written = hostile.replace("\\", "\\\\").replace('"', '\\"')
    for field in ("service", "note"):
        assert found(f'{field}:"{written}"') == [f"<{hostile}>"], field
    assert f"<{hostile}>" in found(f'"<{written}>"')
    assert client.query("SELECT count() FROM logs")[0][0] == 2


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("level:eror", 'did you mean "error"?'),
        ("message:/(/", "Look-around"),
        ("message:/(?=a)/", "Look-around"),
        ("message:>5", "wildcards"),
        ("pattern:zzz", "Patterns"),
        ("item.evn:prod", "env"),
        ("a:(", "("),
    ],
)
def test_what_cannot_be_asked_is_said_with_the_next_step(query: str, said: str) -> None:
    with pytest.raises(BadQuery) as error:
        found(query)
    assert said in str(error.value)


def test_a_catastrophic_expression_costs_nothing() -> None:
    load(line("a" * 100_000))
    started = time.monotonic()
    assert found("message:/^(a+)+$x/") == []
    assert time.monotonic() - started < 5


def test_pages_hold_every_line_once_whatever_the_times() -> None:
    at = ago(minutes=3)
    same = [line("twin", at) for _ in range(7)]
    ties = [line(f"tie {n}", at) for n in range(20)]
    load(*same, *ties, *[line(f"line {n}", ago(minutes=4, seconds=n * 13)) for n in range(40)])
    seen, after = [], ""
    while True:
        page = find(SYSTEM, hour(), limit=5, after=after)
        seen += [(one.ts_ns, one.message) for one in page.lines]
        after = page.next
        if not after:
            break
    assert sorted(name for _, name in seen) == sorted(
        ["twin"] * 7 + [f"tie {n}" for n in range(20)] + [f"line {n}" for n in range(40)]
    )
    assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)
    for wrong in ("x", "1.2", "-1.0.1", "1.zz.1", "1.2.0", f"{2**70}.1.1"):
        with pytest.raises(BadInput):
            find(SYSTEM, hour(), after=wrong)


def test_time_bounds_hold_over_years() -> None:
    load(line("old", ago(days=20)), line("new"))
    assert found("") == ["new"]
    wide = Search("", ago(days=4000), ago(seconds=-60))
    assert [one.message for one in find(SYSTEM, wide).lines] == ["new", "old"]
    assert len(histogram(SYSTEM, wide).counts[""]) <= 1000
    with pytest.raises(BadInput):
        find(SYSTEM, Search("", ago(hours=1), ago(hours=2)))


def test_lines_are_counted_by_level_in_time() -> None:
    some()
    drawn = histogram(SYSTEM, hour("-panic"), bars=60)
    assert (drawn.step_seconds, drawn.total) == (120, 4)
    assert {level: sum(counts) for level, counts in drawn.counts.items()} == {
        "info": 1,
        "warning": 1,
        "error": 1,
        "fatal": 1,
    }
    index = drawn.counts["error"].index(1)
    assert abs(drawn.start + timedelta(seconds=index * 120) - ago(minutes=9)) < timedelta(minutes=3)


def test_facets_count_columns_and_attributes() -> None:
    some()
    counted = {one.field: dict(one.values) for one in facets(SYSTEM, hour())}
    assert counted["service"] == {"shop": 2, "mail": 2}
    assert counted["level"] == {"error": 1, "info": 1, "warning": 1, "fatal": 1, "": 1}
    assert counted["host"] == {"web1": 4, "web2": 1}
    assert counted["status"] == {"504": 1, "200": 1, "abc": 1}
    assert counted["user"] == {"ann": 1}
    stats = statistics(SYSTEM, hour(), "status")
    assert (stats.lines, stats.present, stats.distinct, stats.numbers) == (5, 3, 3, 2)
    assert (stats.minimum, stats.maximum, stats.mean) == (200, 504, 352)
    assert statistics(SYSTEM, hour(), "service").top == [("mail", 2), ("shop", 2)]
    with pytest.raises(BadInput):
        statistics(SYSTEM, hour(), "a'] FROM system.tables --")


def test_context_is_what_the_same_host_and_service_said() -> None:
    load(
        *[line(f"step {n}", ago(minutes=20, seconds=-n), service="shop") for n in range(9)],
        line("else", service="mail"),
    )
    [hit] = find(SYSTEM, hour('"step 4"')).lines
    near = around(SYSTEM, hit.ts_ns, hit.id, limit=2)
    assert [one.message for one in near.before] == ["step 2", "step 3"]
    assert near.line.message == "step 4"
    assert [one.message for one in near.after] == ["step 5", "step 6"]
    assert get_line(SYSTEM, hit.ts_ns, hit.id) == hit
    for at, name in ((hit.ts_ns, "0"), (hit.ts_ns + 1, hit.id), (-5, "x"), (2**80, "f" * 40)):
        with pytest.raises(NotFound):
            get_line(SYSTEM, at, name)


def test_patterns_have_counts_trend_and_news() -> None:
    load(
        *[line(f"order {n} of user {n * 7} paid in {n / 10} ms", ago(minutes=n), level="info") for n in range(1, 31)],
        *[line(f"order {n} of user 5 paid in 3 ms", ago(minutes=70 + n), level="info") for n in range(10)],
        *[line(f"cache miss for 8f14e45f-ceea-467f-a83b-{n:012x} from 10.0.{n}.1", ago(minutes=2)) for n in range(5)],
    )
    mined = {one.template: one for one in patterns(SYSTEM, Search("", ago(hours=1), ago(seconds=-1)))}
    paid = mined["order <num> of user <num> paid in <num> ms"]
    assert (paid.count, paid.before, paid.is_new, paid.level, sum(paid.trend)) == (30, 10, False, "info", 30)
    miss = mined["cache miss for <uuid> from <ip>"]
    assert (miss.count, miss.is_new) == (5, True)
    assert patterns(SYSTEM, hour(), order="new")[0].template == miss.template
    assert len(found(miss.query)) == 5
    assert len(found(paid.query)) == 30


def test_lines_of_items_are_theirs_by_name_and_by_any_query() -> None:
    load(line("from web1", service="shop"), line("from web2", sender=Sender("host", "web2"), service="shop"),
         line("of shop", sender=SHOP, service="shop"), line("of nobody", sender=Sender("", "", {})))  # fmt: skip
    bind(SYSTEM)
    web1 = Item.objects.get(name="web1")
    actions.update_item(SYSTEM, web1, {"env": "prod"})
    assert found("item:web1") == ["from web1"]
    assert found("item:host/web1") == found(f"item:{web1.pk}") == found("item.env:prod") == ["from web1"]
    assert sorted(found("item:shop")) == ["from web1", "from web2", "of shop"]
    assert found("item:nothing") == []
    assert "from web1" not in found("-item:web1")
    assert [one.message for one in find(SYSTEM, hour("", selector="env:prod")).lines] == ["from web1"]


def test_one_reads_only_lines_of_items_that_one_may_query(stranger: Actor, stranger_user: User) -> None:
    load(
        line("from web1"),
        line("from web2", sender=Sender("host", "web2")),
        line("of nobody", sender=Sender("", "", {})),
    )
    bind(SYSTEM)
    with pytest.raises(Denied):
        find(stranger, hour())
    role = Role.objects.create(name="prod", verbs=["inventory.view", "telemetry.query"], query="env:prod")
    RoleBinding.objects.create(role=role, user=stranger_user)
    assert found("", stranger) == []
    actions.update_item(SYSTEM, Item.objects.get(name="web1"), {"env": "prod"})
    for query in ("", "from OR nobody", "NOT xyz", "-item:web1 OR item:web2 OR from", "item:(web1 OR web2)"):
        assert set(found(query, stranger)) <= {"from web1"}, query
    assert found("", stranger) == ["from web1"]
    assert histogram(stranger, hour()).total == 1
    assert dict(facets(stranger, hour())[-1].values) == {"otlp": 1}
    assert [one.count for one in patterns(stranger, hour())] == [1]
    assert statistics(stranger, hour(), "host").lines == 1
    [other] = find(SYSTEM, hour('"from web2"')).lines
    with pytest.raises(NotFound):
        get_line(stranger, other.ts_ns, other.id)
    with pytest.raises(NotFound):
        around(stranger, other.ts_ns, other.id)


def test_one_person_has_a_few_searches_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAITING_SECONDS", 0.05)
    ready, done = threading.Barrier(turns.RUNNING_MAX + 1), threading.Event()

    def hold() -> None:
        with turns.turns.turn(turns.caller_of(SYSTEM)):
            ready.wait(10)
            done.wait(10)

    holders = [threading.Thread(target=hold) for _ in range(turns.RUNNING_MAX)]
    for one in holders:
        one.start()
    ready.wait(10)
    with pytest.raises(TooMany):
        found("")
    done.set()
    for one in holders:
        one.join()
    assert found("") == []


def parsed(query: str, parse: str) -> list[dict[str, str]]:
    search = Search(query, ago(hours=1), ago(seconds=-60), parse=parse)
    return [one.parsed for one in find(SYSTEM, search).lines]


def test_fields_are_taken_out_of_messages_when_they_are_read() -> None:
    access = '10.1.2.3 - ann [26/Nov/2026:10:00:00 +0000] "GET /cart?x=1 HTTP/1.1" 502 1234 "-" "curl/8 (x)"'
    load(
        line('{"msg": "no \\"route\\"", "status": 503, "tags": ["a"], "ok": true, "in": {"a": 1}}', ago(seconds=50)),
        line('level=warn msg="slow \\"query\\"" took=12.5 rows=3', ago(seconds=40)),
        line(access, ago(seconds=30)),
        line("user ann logged in from 10.0.0.8 after 3 tries", ago(seconds=20)),
        line("{broken", ago(seconds=10)),
    )
    [fields] = parsed("status:>=500", "json")
    assert fields == {"msg": 'no "route"', "status": "503", "tags": '["a"]', "ok": "true", "in": '{"a":1}'}
    [fields] = parsed("took:>12", "logfmt")
    assert (fields["msg"], fields["rows"]) == ('slow "query"', "3")
    [fields] = parsed("status:502 path:/cart*", "access")
    assert (fields["client"], fields["user"], fields["method"], fields["bytes"]) == ("10.1.2.3", "ann", "GET", "1234")
    assert fields["agent"] == "curl/8 (x)"
    grok = r"grok:user %{USER:user} logged (in|out) from %{IP:client} after %{INT:tries}"
    assert parsed("tries:>2", grok) == [{"user": "ann", "client": "10.0.0.8", "tries": "3"}]
    for parse in ("json", "logfmt", "access", grok):
        assert len(parsed("", parse)) == 5


@pytest.mark.parametrize(
    "parse", ["yaml", "grok:", "grok:%{IPP:x}", "grok:%{IP}", "grok:%{IP:x}(", "grok:(?=x)%{IP:x}"]
)
def test_what_is_no_parser_is_told(parse: str) -> None:
    with pytest.raises(BadInput):
        parsed("", parse)
