"""Terminals on real hosts: what is typed and printed, what is recorded, and each way in which one ends."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
from tests.jobs.hosts import knowing
from tests.lab.instances import Instance
from tests.lab.parts import wait_until
from tests.lab.ssh_hosts import SshHost
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PASSWORD = "a-long-enough-Passw0rd"
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Person:
    """Somebody who is signed in by the pages, as a browser is."""

    def __init__(self, deck: Instance) -> None:
        self.deck = deck
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def get(self, path: str) -> tuple[int, str]:
        return self._asked(urllib.request.Request(self.deck.url + path))

    def post(self, path: str, values: dict[str, str], form: str = "") -> tuple[int, str]:
        """Send the form of a page (`form`, else `path`); return the status and where it led to, or what it showed."""
        found = _TOKEN.search(self.get(form or path)[1])
        assert found, path
        body = urlencode({**values, "csrfmiddlewaretoken": found[1]}).encode()
        return self._asked(urllib.request.Request(self.deck.url + path, body, {"Referer": self.deck.url + path}))

    def upload(self, path: str, name: str, data: bytes, **values: str) -> tuple[int, str]:
        """Send a file by the form of a page."""
        found = _TOKEN.search(self.get(path)[1])
        assert found, path
        mark = "qd-boundary"
        fields = {**values, "csrfmiddlewaretoken": found[1]}
        parts = [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}' for key, value in fields.items()]
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = b"".join(f"--{mark}\r\n{part}\r\n".encode() for part in parts)
        body += f"--{mark}\r\n{head}".encode() + data + f"\r\n--{mark}--\r\n".encode()
        headers = {"Referer": self.deck.url + path, "Content-Type": f"multipart/form-data; boundary={mark}"}
        return self._asked(urllib.request.Request(self.deck.url + path, body, headers))

    def _asked(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=30) as answer:
                text = answer.read().decode()
                return answer.status, text if answer.url == request.full_url else f"{answer.url}\n{text}"
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def open(self, item: int, **values: str) -> int:
        """Fill in the form; return the number of the terminal."""
        status, text = self.post(f"/terminals/new?item={item}", values)
        found = re.match(r"http://[^/]+/terminals/(\d+)\n", text)
        assert found, f"{status} {text[:2000]}"
        return int(found[1])

    def stream(self, session: int, *, origin: str = "", size: str = "columns=80&rows=24") -> ClientConnection:
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)
        return connect(
            f"ws://{self.deck.listen}/api/v1/terminals/{session}/stream?{size}",
            additional_headers={"Cookie": cookies, "Origin": origin or self.deck.url},
            max_size=1 << 20,
            open_timeout=60,
            proxy=None,
        )


class Screen:
    """The other end of a terminal: what it printed so far, and what was said beside it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.printed = b""
        self.said: list[dict[str, Any]] = []

    def type(self, text: str) -> None:
        self.socket.send(text.encode())

    def say(self, **what: Any) -> None:
        self.socket.send(json.dumps(what))

    def take(self, seconds: float = 60) -> None:
        message = self.socket.recv(seconds)
        if isinstance(message, str):
            self.said.append(json.loads(message))
            return
        self.printed += message
        # The end may be on its way already.
        with suppress(ConnectionClosed):
            self.say(kind="seen", bytes=len(message))

    def take_until_quiet(self, seconds: float) -> int:
        """Take what comes without a word about it; return how many bytes that was."""
        size = 0
        try:
            while True:
                message = self.socket.recv(seconds)
                assert isinstance(message, bytes), message
                size += len(message)
        except TimeoutError:
            return size

    def until(self, text: str) -> None:
        while text.encode() not in self.printed:
            self.take()

    def heard(self, kind: str) -> dict[str, Any]:
        while not (found := [one for one in self.said if one["kind"] == kind]):
            self.take()
        return found[-1]


@contextmanager
def opened(person: Person, item: int, **values: str) -> Iterator[tuple[int, Screen]]:
    session = person.open(item, **values)
    with person.stream(session) as socket:
        screen = Screen(socket)
        screen.heard("open")
        yield session, screen


@pytest.fixture(scope="module")
def deck(lab_host: SshHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    environment = {"QD_TERMINALS_PER_PERSON": "3", "QD_TERMINAL_RECORDING_MAX_MB": "2"}
    with knowing(lab_host, environment, tmp_path_factory.mktemp("terminals")) as instance:
        yield instance


@pytest.fixture(scope="module")
def captain(deck: Instance) -> Person:
    person = Person(deck)
    link = deck.set_up_link.removeprefix(deck.url)
    names = {"username": "captain", "email": "captain@example.com", "password": PASSWORD, "again": PASSWORD}
    assert person.post(link, names)[0] == 200
    return person


def person(deck: Instance, name: str, role: str) -> Person:
    """Somebody with a role, who chose a password by the link that an administrator gave them."""
    user = sent(deck, "/api/v1/users", {"username": name, "email": f"{name}@example.com", "roles": [role]})
    secret = sent(deck, f"/api/v1/users/{user['id']}/password-link", {})["secret"]
    found = Person(deck)
    assert found.post(f"/welcome/{secret}", {"password": PASSWORD, "again": PASSWORD})[0] == 200
    assert found.post("/accounts/login/", {"login": name, "password": PASSWORD})[0] == 200
    return found


def sent(deck: Instance, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {deck.token}", "Content-Type": "application/json"}
    request = urllib.request.Request(deck.url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.loads(answer.read()))


@pytest.fixture(scope="module")
def item(deck: Instance) -> int:
    return item_named(deck, "web01")


def item_named(deck: Instance, name: str) -> int:
    return int(deck.get(f"/api/v1/items?q=name:{name}", token=deck.token)[1]["items"][0]["id"])


def row(deck: Instance, session: int) -> dict[str, Any]:
    status, found = deck.get(f"/api/v1/terminals/{session}", token=deck.token)
    assert status == 200, found
    return dict(found)


def ended(deck: Instance, session: int) -> dict[str, Any]:
    wait_until(lambda: row(deck, session)["state"] == "ended", f"the end of terminal {session}")
    return row(deck, session)


def cast(deck: Instance, session: int) -> tuple[dict[str, Any], list[list[Any]]]:
    done = deck.qd("terminals", "download", str(session))
    first, *lines = done.stdout.splitlines()
    return json.loads(first), [json.loads(line) for line in lines]


def test_what_is_typed_is_done_shown_and_recorded(deck: Instance, captain: Person, item: int) -> None:
    with opened(captain, item, reason="look around") as (session, screen):
        screen.type("echo begin-$((40+2)); tty; locale charmap\n")
        screen.until("begin-42")
        screen.until("/dev/pts/")
        screen.say(kind="size", columns=101, rows=33)
        screen.type("stty size; printf '\\344\\270\\255\\346\\226\\207 %s\\n' $TERM\n")
        screen.until("33 101")
        screen.until("中文 xterm-256color")
        screen.type("exit 7\n")
        assert screen.heard("end") == {"kind": "end", "why": "exited", "exit_code": 7}
    found = ended(deck, session)
    assert (found["end"], found["exit_code"], found["place"]) == ("exited", 7, "ops@web01")
    assert (found["reason"], found["actor"]) == ("look around", "captain")
    header, events = cast(deck, session)
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    assert "".join(text for _at, code, text in events if code == "o").encode() == screen.printed
    assert [text for _at, code, text in events if code == "r"] == ["101x33"]
    assert [at for at, _code, _text in events] == sorted(at for at, _code, _text in events)


def test_a_page_that_does_not_draw_holds_the_host_back_and_a_full_recording_ends_it(
    deck: Instance, captain: Person, item: int
) -> None:
    with opened(captain, item) as (session, screen):
        screen.type("yes | head -c 450000; echo done-$((1+1))\n")
        # As much as may be on its way, and then nothing more.
        sent = screen.take_until_quiet(3)
        assert 400_000 < sent < 700_000
        screen.say(kind="seen", bytes=sent)
        screen.until("done-2")
        screen.type("yes\n")
        assert screen.heard("end")["why"] == "full"
    found = ended(deck, session)
    assert (found["end"], found["printed_bytes"] > 1 << 20) == ("full", True)
    _header, events = cast(deck, session)
    assert len("".join(text for _at, code, text in events if code == "o")) > 950_000


def test_it_is_for_whom_it_was_opened_once_and_from_our_pages(deck: Instance, captain: Person, item: int) -> None:
    session = captain.open(item)
    with pytest.raises(InvalidStatus) as refused, captain.stream(session, origin="https://elsewhere.example"):
        raise AssertionError("another site opened it")
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as refused, Person(deck).stream(session):
        raise AssertionError("nobody opened it")
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as refused, captain.stream(session, size="columns=0&rows=x"):
        raise AssertionError("it has no size")
    assert refused.value.response.status_code == 422
    with captain.stream(session) as socket:
        screen = Screen(socket)
        screen.heard("open")
        with captain.stream(session) as again:
            assert Screen(again).heard("end")["code"] == "conflict"
        screen.say(kind="close")
        assert screen.heard("end")["why"] == "closed"


def test_who_may_not_is_refused_and_too_many_are(deck: Instance, captain: Person, item: int) -> None:
    viewer = person(deck, "viewer", "viewer")
    assert viewer.get(f"/terminals/new?item={item}")[0] == 403
    assert viewer.get("/terminals")[0] == 403
    assert "terminals/new" not in viewer.get(f"/items/{item}")[1]
    assert "terminals/new" in captain.get(f"/items/{item}")[1]
    opened_ones = [captain.open(item) for _each in range(3)]
    status, text = captain.post(f"/terminals/new?item={item}", {})
    assert (status, "3 terminals of yours are open" in text) == (422, True)
    with captain.stream(opened_ones[0]) as one, captain.stream(opened_ones[1]) as two, captain.stream(opened_ones[2]):
        for socket in (one, two):
            Screen(socket).heard("open")
    for session in opened_ones:
        assert ended(deck, session)["end"] == "left"
    assert captain.open(item)


def test_others_watch_what_is_shared_and_close_what_they_may_see(deck: Instance, captain: Person, item: int) -> None:
    mate = person(deck, "mate", "operator")
    auditor = person(deck, "auditor", "auditor")
    with opened(captain, item) as (session, screen):
        page = f"/terminals/{session}"
        assert mate.get(page)[0] == 404
        assert captain.post(f"{page}/act", {"act": "share"}, form=page)[0] == 200
        screen.type("echo seen-$((3*3))\n")
        screen.until("seen-9")
        wait_until(lambda: "seen-9" in mate.get(f"{page}/events")[1], "what is shared")
        with mate.stream(session) as socket:
            assert Screen(socket).heard("end")["code"] == "conflict"
        assert mate.post(f"{page}/act", {"act": "close"}, form=page)[0] == 403
        assert captain.post(f"{page}/act", {"act": "unshare"}, form=page)[0] == 200
        assert mate.get(f"{page}/events")[0] == 404
        # Who may see every recording sees this one, as it goes, and ends it.
        assert "seen-9" in auditor.get(f"{page}/events")[1]
        assert auditor.post(f"{page}/act", {"act": "close"}, form=page)[0] == 200
        assert screen.heard("end")["why"] == "closed"
    assert ended(deck, session)["end"] == "closed"
    first = json.loads(auditor.get(f"{page}/events")[1])
    assert captain.get(f"{page}/events?next={first['next']}")[0] == 422
    assert json.loads(auditor.get(f"{page}/events?next={first['next']}")[1])["is_ended"]
    verbs = [one["verb"] for one in deck.get("/api/v1/audit?limit=60", token=deck.token)[1]["items"]]
    for verb in ("open", "share", "watch", "unshare", "close", "end", "replay"):
        assert f"jobs.terminal.{verb}" in verbs


def test_an_unknown_host_key_is_refused_with_the_next_step(deck: Instance, captain: Person, lab_host: SshHost) -> None:
    body = json.dumps([{"name": "fresh", "address": "127.0.0.1", "ssh_port": lab_host.port, "env": "lab"}])
    path = deck.data.parent / "fresh.json"
    path.write_text(body)
    deck.qd("items", "import", str(path), "--type", "host", "--key", "name")
    fresh = item_named(deck, "fresh")
    session = captain.open(fresh)
    with captain.stream(session) as socket:
        end = Screen(socket).heard("end")
    assert (end["why"], end["code"]) == ("refused", "host_key_unknown")
    assert "qd hosts keys approve" in end["hint"]
    assert "not approved yet" in ended(deck, session)["error"]
    deck.qd("hosts", "keys", "approve", "-q", "name:fresh", "--yes")
    with opened(captain, fresh) as (_session, screen):
        screen.type("exit\n")
        assert screen.heard("end")["exit_code"] == 0


def test_the_host_ends_it(deck: Instance, captain: Person, item: int, lab_host: SshHost) -> None:
    with opened(captain, item) as (session, screen):
        lab_host.drop_connections()
        assert screen.heard("end")["why"] == "lost"
    assert ended(deck, session)["end"] == "lost"


def test_a_stop_and_a_kill_of_ours_end_it_on_the_host(deck: Instance, captain: Person, item: int) -> None:
    for kind, why in ((signal.SIGTERM, "stopped"), (signal.SIGKILL, "vanished")):
        with opened(captain, item) as (session, screen):
            screen.type("echo shell-$$-\n")
            screen.until("shell-")
            while not (found := re.search(rb"shell-(\d+)-", screen.printed)):
                screen.take()
            shell = int(found[1])
            wait_until(lambda session=session, mark=found[0]: mark in recorded(deck, session), "the recording")
            web = deck.pids()["web"]
            os.kill(web, kind)
            with pytest.raises(ConnectionClosed):
                screen.until("never printed")
        wait_until(lambda shell=shell: not psutil.pid_exists(shell), "the end of the shell")
        wait_until(lambda web=web: deck.pids()["web"] != web and deck.get("/readyz")[0] == 200, "the next web process")
        assert ended(deck, session)["end"] == why
        assert found[0] in recorded(deck, session)


def recorded(deck: Instance, session: int) -> bytes:
    _header, events = cast(deck, session)
    return "".join(text for _at, code, text in events if code == "o").encode()


def test_files_of_a_host_are_listed_downloaded_and_uploaded(
    deck: Instance, captain: Person, item: int, lab_host: SshHost
) -> None:
    home = lab_host.home / "browsed"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    (home / "sub").mkdir()
    (home / "notes <b>.txt").write_bytes(b"line\n" * 300_000)
    os.mkfifo(home / "pipe", 0o666)
    (home / os.fsdecode(b"caf\xe9")).write_text("latin")
    path = urlencode({"path": str(home)})
    status, text = captain.get(f"/items/{item}/files?{path}")
    assert (status, "notes &lt;b&gt;.txt" in text, "caf\N{REPLACEMENT CHARACTER}" in text) == (200, True, True)
    assert urlencode({"path": f"{home}/sub"}) in text
    file = urlencode({"path": f"{home}/notes <b>.txt"})
    status, text = captain.get(f"/items/{item}/files/download?{file}")
    assert (status, text) == (200, "line\n" * 300_000)
    for wrong, code in (("sub", 422), ("pipe", 422), ("none", 404)):
        assert captain.get(f"/items/{item}/files/download?{urlencode({'path': f'{home}/{wrong}'})}")[0] == code
    assert "alert" in captain.get(f"/items/{item}/files?{urlencode({'path': f'{home}/none'})}")[1]
    assert captain.upload(f"/items/{item}/files?{path}", "new.txt", b"first")[0] == 200
    status, text = captain.upload(f"/items/{item}/files?{path}", "new.txt", b"second")
    assert (status, "is there already" in text, (home / "new.txt").read_text()) == (422, True, "first")
    assert captain.upload(f"/items/{item}/files?{path}", "new.txt", b"second", replaces="on")[0] == 200
    assert (home / "new.txt").read_text() == "second"
    assert (home / "new.txt").stat().st_uid == 4001
    viewer = person(deck, "looker", "viewer")
    assert viewer.get(f"/items/{item}/files?{path}")[0] == 403
    assert viewer.get(f"/items/{item}/files/download?{file}")[0] == 403
    verbs = [one["verb"] for one in deck.get("/api/v1/audit?limit=60", token=deck.token)[1]["items"]]
    for verb in ("list", "download", "upload"):
        assert f"jobs.files.{verb}" in verbs
