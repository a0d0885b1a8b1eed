"""Commits of releases: by sentry-cli's protocol and our API, which of them are suspect, and what they fix."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from tests.errors.making import ago, issues, raised
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.cli import git_log
from quarterdeck.core.errors import BadInput, Denied
from quarterdeck.errors import commits
from quarterdeck.errors.commits import Told
from quarterdeck.errors.models import Commit, Issue, Release, State
from quarterdeck.errors.reading import Frame

ORG = "/api/0/organizations/acme"
AT = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("frame", "path", "is_same"),
    [
        ("shop/orders.py", "src/shop/orders.py", True),
        ("/srv/app/src/shop/orders.py", "src/shop/orders.py", True),
        ("C:\\app\\shop\\orders.py", "shop/orders.py", True),
        ("../src/pay.js", "src/pay.js", True),
        ("orders.py", "shop/orders.py", True),
        ("stock/orders.py", "shop/orders.py", False),
        ("shop/orders.py", "shop/orders.pyc", False),
        ("", "shop/orders.py", False),
        ("/", "/", False),
    ],
)
def test_a_frame_is_in_a_file_of_the_repository(frame: str, path: str, is_same: bool) -> None:
    assert commits.is_same_file(frame, path) is is_same


def test_git_tells_commits(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        done = subprocess.run(["git", *who, "-C", tmp_path, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet")
    shas = []
    for name, message in (("a.py", "One"), ("é \n.py", "Two\n\nFixes QD-7")):
        (tmp_path / name).write_text("x")
        git("add", ".")
        git("commit", "--quiet", "-m", message)
        shas.append(git("rev-parse", "HEAD"))
    newest, oldest = git_log.commits(tmp_path)
    assert (newest["sha"], newest["message"], newest["author_email"]) == (
        shas[1],
        "Two\n\nFixes QD-7",
        "ann@example.org",
    )
    assert (oldest["files"], oldest["repository"]) == (["a.py"], tmp_path.name)
    assert [one["sha"] for one in git_log.commits(tmp_path, since=shas[0])] == [shas[1]]
    for wrong in ("nothing", "--output=x"):
        with pytest.raises(BadInput):
            git_log.commits(tmp_path, since=wrong)


def _issue(project: int = 42, release: str = "shop@1") -> Issue:
    return Issue.objects.create(project=project, title="x", first_seen=AT, last_seen=AT, first_release=release)


def _frame(path: str, *, is_in_app: bool = True) -> Frame:
    return Frame("f", "", path, f"/srv/{path}", 1, 0, is_in_app)


@pytest.mark.django_db
class TestCommits:
    def test_the_newest_that_touched_a_frame_is_suspect(self, owner: Actor) -> None:
        told = [
            Told("c1", files=["src/shop/orders.py"], at=ago(days=3)),
            Told("c4", files=["README.md"], at=ago(hours=1)),
            Told("c3", files=["src/shop/orders.py", "src/lib/web.py"], at=ago(days=1), author_name="Ann"),
            Told("c2", files=["src/lib/web.py"], at=ago(days=2)),
        ]
        commits.set_commits(owner, 42, "shop@1", told)
        commits.set_commits(owner, 42, "shop@2", [Told("d1", files=["src/shop/orders.py"])])
        frames = [_frame("shop/orders.py"), _frame("lib/web.py", is_in_app=False)]
        found = commits.suspects(_issue(), frames)
        assert [(one.commit.sha, one.path) for one in found] == [
            ("c3", "src/shop/orders.py"),
            ("c1", "src/shop/orders.py"),
        ]
        assert commits.suspects(_issue(release=""), frames) == []
        assert commits.suspects(_issue(project=43), frames) == []
        commits.set_commits(owner, 42, "shop@1", [])
        assert not Commit.objects.filter(release__version="shop@1").exists()

    def test_a_message_resolves(self, owner: Actor) -> None:
        own, other, theirs = _issue(), _issue(), _issue(project=43)
        message = f"Count right\n\nFixes QD-{own.pk}, closes: QD-{theirs.pk}; see QD-{other.pk}, prefixes QD-{other.pk}"
        commits.set_commits(owner, 42, "shop@2", [Told("c1", message=message)])
        own.refresh_from_db()
        assert (own.state, own.resolved_in) == (State.RESOLVED, "shop@2")
        assert Issue.objects.filter(state=State.UNRESOLVED).count() == 2

    @pytest.mark.parametrize("told", [[Told("no sha")], [Told("a")] * 1001, [Told("a", files=["x"] * 20_001)]])
    def test_what_is_none_is_refused(self, owner: Actor, teammate: Actor, told: list[Told]) -> None:
        with pytest.raises(BadInput):
            commits.set_commits(owner, 42, "shop@1", told)
        assert not Release.objects.exists()
        with pytest.raises(Denied):
            commits.set_commits(teammate, 42, "shop@1", [])

    def test_sentrys_protocol(self, owner_user: User) -> None:
        browser = signed_in(owner_user)

        def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            answer = getattr(browser, method)(f"{ORG}/{path}", body, content_type="application/json")
            return answer.status_code, answer.json()

        assert call("post", "releases/", {"version": "shop/1", "projects": [42, "43"]})[0] == 201
        patch = [{"path": "src/pay.py", "type": "M"}]
        sent = {"id": "a" * 40, "message": "Pay", "author_name": "Ann", "timestamp": "2026-11-27T09:44:53.284227218Z"}
        status, release = call(
            "put", "releases/shop%2F1/", {"commits": [{**sent, "patch_set": patch, "repository": "r"}]}
        )
        assert (status, release["commitCount"], len(release["projects"])) == (200, 1, 2)
        told = Commit.objects.filter(release__project=43).get()
        assert (told.author_name, told.files.get().path, told.committed_at.microsecond) == ("Ann", "src/pay.py", 284227)
        assert call("put", "releases/shop%2F1/", {"dateReleased": "2026-11-27T09:00:00Z"})[1]["commitCount"] == 1
        assert Release.objects.filter(released_at__isnull=False).count() == 2
        call("post", "releases/", {"version": "shop/2", "projects": [42], "refs": [{"repository": "r", "commit": "b"}]})
        assert Commit.objects.get(release__version="shop/2").sha == "b"
        assert call("get", "releases/shop%2F2/previous-with-commits/")[1]["lastCommit"]["id"] == "a" * 40
        assert call("get", "releases/shop%2F1/previous-with-commits/")[1] == {}
        assert call("get", "releases/shop%2F1/")[1]["version"] == "shop/1"
        assert {one["version"] for one in call("get", "releases/")[1]} == {"shop/1", "shop/2"}
        assert call("get", "repos/")[1] == []
        assert call("get", "releases/none/")[0] == 404
        assert call("put", "releases/shop%2F1/", {"status": "archived"})[0] == 422
        assert call("post", "releases/", {"version": "", "projects": [42]})[0] == 422
        assert call("post", "releases/", {"version": "x"})[0] == 422
        assert call("put", "releases/shop%2F1/", {"dateReleased": "soon"})[0] == 422

    def test_our_own_api(self, owner_user: User) -> None:
        browser = signed_in(owner_user)
        commit = {"sha": "c" * 40, "message": "Pay", "at": "2026-11-27T09:00:00Z", "files": ["src/pay.py"]}
        body = {"project": 42, "version": "shop@1", "commits": [commit]}
        answer = browser.put("/api/v1/errors/releases/commits", body, content_type="application/json")
        [row] = answer.json()["items"]
        assert (row["sha"], row["files"]) == ("c" * 40, ["src/pay.py"])
        wrong = {**body, "commits": [{**commit, "sha": "§"}]}
        assert browser.put("/api/v1/errors/releases/commits", wrong, content_type="application/json").status_code == 422


@pytest.mark.slow
@pytest.mark.django_db
def test_an_issue_shows_its_suspects(owner: Actor, owner_user: User, errors: Engine) -> None:
    told = [Told("f00d" * 10, files=["src/shop/orders.py"], message="Refuse it\n\nmore", author_name="Ann")]
    release = commits.set_commits(owner, 42, "shop@1", told)
    [issue] = issues(raised(release="shop@1"))
    browser: Client = signed_in(owner_user)
    page = browser.get(f"/errors/{issue.pk}").content.decode()
    for text in ("Suspect commits", "f00df00df0", "Refuse it", "Ann", "src/shop/orders.py"):
        assert text in page
    assert "Refuse it" in browser.get(f"/errors/releases/{release.pk}").content.decode()
    [row] = browser.get(f"/api/v1/errors/issues/{issue.pk}/origin").json()["suspects"]
    assert (row["commit"]["sha"], row["path"]) == ("f00d" * 10, "src/shop/orders.py")
    [row] = browser.get(f"/api/v1/errors/releases/{release.pk}/commits").json()["items"]
    assert row["message"] == "Refuse it\n\nmore"
