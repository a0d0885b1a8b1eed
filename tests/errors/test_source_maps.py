"""Uploads of source maps: what is taken, what is refused, how long it stays, and the frames that it tells."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests.errors.making import ago, issues
from tests.telemetry.engines import Engine
from tests.web.conftest import signed_in

from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Denied, NotFound
from quarterdeck.errors.artifacts import actions, chunks, keeping, maps, resolving, unpacking
from quarterdeck.errors.artifacts.actions import Build
from quarterdeck.errors.artifacts.resolving import resolved
from quarterdeck.errors.models import Bundle, BundleFile, Chunk

# Made by esbuild and `sentry-cli sourcemaps inject`.
BUILT = Path(__file__).with_name("source_maps")
PROGRAM, MAP = ((BUILT / name).read_bytes() for name in ("app.js", "app.js.map"))
DEBUG_ID = "681b999e-f6ba-5412-8486-9fd6caa5266d"
BUILD = Build(42, "shop@1")


def packed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # Without the time of the test, so that the same files are the same upload.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def bundle(**told: Any) -> bytes:
    """An artifact bundle, as sentry-cli makes it."""
    files = {
        "files/_/_/app.js": {
            "url": "~/app.js",
            "type": "minified_source",
            "headers": {"debug-id": DEBUG_ID, "sourcemap": "app.js.map"},
        },
        "files/_/_/app.js.map": {"url": "~/app.js.map", "type": "source_map", "headers": {"debug-id": DEBUG_ID}},
    }
    manifest = orjson.dumps({"files": files, **told})
    return b"SYSB\x02\0\0\0" + packed(
        {"manifest.json": manifest, "files/_/_/app.js": PROGRAM, "files/_/_/app.js.map": MAP}
    )


def event(address: str = "app:///app.js", **more: Any) -> dict[str, Any]:
    line = 2 + PROGRAM.decode().split("\n")[2:].index(
        next(one for one in PROGRAM.decode().split("\n") if "RangeError" in one)
    )
    column = PROGRAM.decode().split("\n")[line].index("throw") + 1
    frames = [
        {"function": "node", "filename": "node:internal/main", "lineno": 1, "colno": 1},
        {"function": "e", "abs_path": address, "lineno": line + 1, "colno": column, "in_app": True, "module": "app"},
    ]
    values = [{"type": "RangeError", "value": "no", "stacktrace": {"frames": frames}}]
    return {"platform": "node", "exception": {"values": values}, **more}


def image(address: str = "app:///app.js") -> dict[str, Any]:
    return {"images": [{"type": "sourcemap", "code_file": address, "debug_id": DEBUG_ID.upper()}]}


def last_frame(payload: Any) -> dict[str, Any]:
    found: dict[str, Any] = payload["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    return found


def names(content: bytes) -> list[tuple[str, str, str, str]]:
    return [(one.url, one.kind, one.debug_id, one.source_map) for one in unpacking.unpacked(io.BytesIO(content))]


def test_it_unpacks_what_builds_upload() -> None:
    told = [
        ("~/app.js", "minified_source", DEBUG_ID, "app.js.map"),
        ("~/app.js.map", "source_map", DEBUG_ID, ""),
    ]
    assert names(bundle()) == told
    assert names(packed({"app.js": PROGRAM, "app.js.map": MAP, "logo.png": b"x"})) == told
    assert names(packed({"../../etc/x.js": b"1"})) == [("~/../../etc/x.js", "minified_source", "", "")]
    inline = b"a()\n//# sourceMappingURL=data:application/json;base64,e30="
    assert names(packed({"app.js": inline})) == [("~/app.js", "minified_source", "", "")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no ZIP",
        bundle()[:-20],
        bundle(files=[]),
        packed({"manifest.json": b"{"}),
        packed({"manifest.json": b'{"files": {"app.js": 7}}', "app.js": b""}),
        packed({"bomb.js": bytes(unpacking.FILE_MAX_BYTES + 1)}),
    ],
    ids=["nothing", "text", "cut", "list", "broken manifest", "wrong manifest", "bomb"],
)
def test_it_refuses_what_is_no_upload(content: bytes) -> None:
    with pytest.raises(BadInput):
        names(content)


def test_it_refuses_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    many = packed({f"{number}.js": bytes(1000) for number in range(20)})
    monkeypatch.setattr(unpacking, "CONTENT_MAX_BYTES", 10_000)
    with pytest.raises(BadInput, match="too large"):
        names(many)
    monkeypatch.setattr(unpacking, "FILES_MAX", 10)
    with pytest.raises(BadInput, match="10 files"):
        names(many)


@pytest.mark.parametrize(
    ("address", "uploaded_as"),
    [
        ("https://shop.example/js/app.js?v=3", "~/js/app.js"),
        ("https://shop.example/js/app.js?v=3", "https://shop.example/js/app.js"),
        ("app:///dist/app.js", "~/dist/app.js"),
        ("/srv/shop/app.js", "~/srv/shop/app.js"),
        ("file:///C:/shop/app.js", "~/C:/shop/app.js"),
        ("http://[", "http://["),
    ],
)
def test_a_program_is_found_under_addresses(address: str, uploaded_as: str) -> None:
    assert uploaded_as in maps.addresses(address)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("../src/payments.mjs", "src/payments.mjs"),
        ("webpack://shop/./src/pay.js?f00d", "src/pay.js"),
        ("webpack:///src/pay.js", "src/pay.js"),
        ("turbopack:///[project]/src/pay.ts", "src/pay.ts"),
        ("/home/ci/shop/src/pay.ts", "home/ci/shop/src/pay.ts"),
    ],
)
def test_a_source_has_its_path(source: str, path: str) -> None:
    assert resolving.source_path(source) == path


@pytest.mark.django_db
class TestStored:
    def test_frames_are_told_by_debug_id(self, owner: Actor) -> None:
        actions.upload(owner, Build(42), [bundle()])
        found = resolved(event(debug_meta=image()), 42)
        frame = last_frame(found.payload)
        assert (found.count, found.missing, found.broken) == (1, (), ())
        assert (frame["function"], frame["filename"], frame["lineno"]) == ("chargeCustomer", "src/payments.mjs", 4)
        assert frame["context_line"] == "    throw new RangeError(`amount ${amount} is negative`);"
        assert frame["data"] == {"sourcemap": "~/app.js.map", "raw": "app:///app.js:3:40"}
        assert "module" not in frame
        assert last_frame(event())["function"] == "e", "what was sent stays"
        assert resolved(event(debug_meta=image()), 43).missing == ("app:///app.js",), "of another project"

    def test_frames_are_told_by_release(self, owner: Actor) -> None:
        content = packed({"app.js": PROGRAM, "app.js.map": MAP})
        stored = actions.upload(owner, BUILD, [content])
        assert last_frame(resolved(event(release="shop@1"), 42).payload)["function"] == "chargeCustomer"
        assert resolved(event(release="shop@2"), 42).count == 0
        assert resolved(event(release="shop@1") | {"platform": "python"}, 42).count == 0
        assert actions.upload(owner, BUILD, [content]).pk == stored.pk
        actions.delete(owner, stored.pk)
        assert resolved(event(release="shop@1"), 42).count == 0
        with pytest.raises(NotFound):
            actions.delete(owner, stored.pk)
        assert AuditEvent.objects.filter(verb="errors.delete_upload", object_name="42/shop@1").count() == 1

    def test_a_broken_map_is_told(self, owner: Actor) -> None:
        actions.upload(owner, BUILD, [packed({"app.js": PROGRAM, "app.js.map": b"{ no map"})])
        found = resolved(event(release="shop@1"), 42)
        assert found.count == 0
        assert found.broken[0].startswith("~/app.js.map: ")
        hostile = event(release="shop@1")
        hostile["exception"]["values"][0]["stacktrace"]["frames"] += [
            {"abs_path": "app:///app.js", "lineno": 10**30, "colno": -1},
            {"abs_path": "http://[", "lineno": 1, "colno": 1},
            {"filename": 7, "lineno": "x", "colno": {}},
        ]
        hostile["exception"]["values"][0]["stacktrace"]["frames"] += [
            {"abs_path": f"app:///{number}.js", "lineno": 1, "colno": 1} for number in range(1000)
        ]
        assert resolved(hostile, 42).count == 0
        assert len(resolved(hostile, 42).missing) < resolving.PROGRAMS_MAX

    def test_what_nobody_needs_goes(self, owner: Actor, settings: Any) -> None:
        stored = actions.upload(owner, BUILD, [bundle()])
        Chunk.objects.create(sha1="0" * 40, content=b"", created_at=now() - timedelta(days=2))
        Bundle.objects.filter(pk=stored.pk).update(used_at=now() - timedelta(days=89))
        assert resolved(event(debug_meta=image()), 42).count == 1
        assert keeping.forget() == 0, "it was needed just now"
        assert not Chunk.objects.exists()
        Bundle.objects.update(used_at=now() - timedelta(days=91))
        assert keeping.forget() == 1
        assert not BundleFile.objects.exists()

    def test_it_takes_no_more_than_it_may(self, owner: Actor, teammate: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(settings.QD, "artifacts_max_mb", 0)
        with pytest.raises(BadInput, match="more than 0 MB"):
            actions.upload(owner, BUILD, [bundle()])
        monkeypatch.setitem(settings.QD, "artifacts_upload_max_mb", 0)
        with pytest.raises(BadInput, match="larger than 0 MB"):
            actions.upload(owner, BUILD, [bundle()])
        with pytest.raises(Denied):
            actions.upload(teammate, BUILD, [bundle()])


ORG = "/api/0/organizations/acme"


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def send(browser: Client, content: bytes, name: str = "", field: str = "file_gzip") -> int:
    body = gzip.compress(content) if field == "file_gzip" else content
    file = SimpleUploadedFile(name or sha1(content), body)
    return browser.post(f"{ORG}/chunk-upload/", {field: file}).status_code


@pytest.mark.django_db
class TestProtocol:
    def test_a_bundle_is_assembled(self, owner_user: User) -> None:
        browser, whole = signed_in(owner_user), bundle()
        parts = [whole[:500], whole[500:]]
        asked = {"checksum": sha1(whole), "chunks": [sha1(part) for part in parts], "projects": ["42"], "version": "v1"}

        def assemble(**more: Any) -> dict[str, Any]:
            answer = browser.post(f"{ORG}/artifactbundle/assemble/", {**asked, **more}, "application/json")
            assert answer.status_code == 200, answer.content
            found: dict[str, Any] = answer.json()
            return found

        told = browser.get(f"{ORG}/chunk-upload/").json()
        assert told["url"] == "http://testserver/api/0/organizations/acme/chunk-upload/"
        assert assemble() == {"state": "not_found", "missingChunks": asked["chunks"]}
        assert send(browser, parts[0]) == send(browser, parts[1], field="file") == 200
        assert assemble(checksum="0" * 40)["state"] == "error"
        assert assemble(checksum="../x")["state"] == "error"
        assert assemble() == {"state": "ok", "missingChunks": []}
        assert not Chunk.objects.exists()
        assert assemble()["state"] == "ok", "asked again"
        stored = Bundle.objects.get()
        assert (stored.project, stored.release, stored.file_count, stored.created_by) == (42, "v1", 2, "owner")
        wrong = browser.post(f"{ORG}/artifactbundle/assemble/", {**asked, "projects": ["shop"]}, "application/json")
        assert (wrong.status_code, wrong.json()["field"]) == (422, "project")
        assert browser.post(f"{ORG}/artifactbundle/assemble/", "[]", "application/json").status_code == 422

    def test_chunks_that_are_wrong_are_refused(self, owner_user: User) -> None:
        browser = signed_in(owner_user)
        assert send(browser, b"x", name="0" * 40) == 422
        assert send(browser, bytes(chunks.CHUNK_MAX_BYTES + 1)) == 422, "a bomb"
        assert send(browser, bytes(chunks.CHUNK_MAX_BYTES + 1), field="file") == 422
        body = SimpleUploadedFile("x", b"no gzip")
        assert browser.post(f"{ORG}/chunk-upload/", {"file_gzip": body}).status_code == 422
        assert not Chunk.objects.exists()

    def test_files_of_a_release(self, owner_user: User) -> None:
        browser, where = signed_in(owner_user), "/api/0/projects/acme/42/releases/shop%2F1/files/"
        for name, content in (("~/app.js", PROGRAM), ("~/app.js.map", b"old"), ("~/app.js.map", MAP)):
            form = {"file": SimpleUploadedFile("x", content), "name": name, "header": ["Sourcemap: app.js.map"]}
            answer = browser.post(where, form)
            assert answer.status_code == 201, answer.content
        rows = browser.get(where).json()
        assert [row["name"] for row in rows] == ["~/app.js", "~/app.js.map"]
        assert last_frame(resolved(event(release="shop/1"), 42).payload)["function"] == "chargeCustomer"
        assert browser.delete(f"{where}{rows[0]['id']}/").status_code == 204
        assert browser.delete(f"{where}{rows[0]['id']}/").status_code == 404
        assert Bundle.objects.count() == 1
        assert browser.post(where, {"name": "x"}).status_code == 422

    def test_who_may(self, owner_user: User, teammate_user: User) -> None:
        assert Client().get("/api/0/").status_code == 401
        assert signed_in(owner_user).get("/api/0/").json()["user"]["username"] == "owner"
        browser = signed_in(teammate_user)
        assert browser.get("/api/0/").json()["auth"] == {"scopes": []}
        assert send(browser, b"x") == 403
        assert browser.put(f"{ORG}/chunk-upload/").status_code == 405
        assert browser.get("/api/v1/errors/artifacts").status_code == 403

    def test_our_own_api(self, owner_user: User) -> None:
        browser = signed_in(owner_user)
        form = {"file": SimpleUploadedFile("dist.zip", packed({"app.js": PROGRAM, "app.js.map": MAP})), "project": "42"}
        made = browser.post("/api/v1/errors/artifacts", {**form, "release": "shop@1", "prefix": "~/js/"})
        assert (made.status_code, made.json()["files"]) == (201, 2)
        assert BundleFile.objects.first().url == "~/js/app.js"
        [row] = browser.get("/api/v1/errors/artifacts?release=shop@1&project=42").json()["items"]
        assert row["id"] == made.json()["id"]
        file = SimpleUploadedFile("dist.zip", packed({"app.js": PROGRAM}))
        for name in ("release", "dist"):
            wrong = {"file": file, "project": "42", name: "a\0b"}
            assert browser.post("/api/v1/errors/artifacts", wrong).status_code == 422
        assert browser.delete(f"/api/v1/errors/artifacts/{row['id']}").status_code == 204
        assert browser.get("/api/v1/errors/artifacts").json()["items"] == []

    def test_the_page_lists_opens_and_deletes_them(self, owner: Actor, owner_user: User, teammate_user: User) -> None:
        first = actions.upload(owner, Build(42, "shop@1<b>"), [bundle()])
        other = actions.upload(owner, Build(7, "web@2"), [packed({"x.js": b"function a(){}"})])
        browser = signed_in(owner_user)
        listed = browser.get("/errors/source-maps").content.decode()
        for shown in ("shop@1&lt;b&gt;", "web@2", owner.name):
            assert shown in listed
        for asked in (DEBUG_ID.upper(), "shop@1<b>"):
            found = browser.get("/errors/source-maps", {"q": asked}).content.decode()
            assert f"upload={first.pk}&" in found
            assert f"upload={other.pk}&" not in found
        assert "No upload" in browser.get("/errors/source-maps?q=nothing").content.decode()
        opened = browser.get(f"/errors/source-maps?upload={first.pk}").content.decode()
        assert f"<code>{DEBUG_ID}</code>" in opened
        assert browser.get("/errors/source-maps?upload=999999").status_code == 404
        rows = browser.get("/api/v1/errors/artifacts", {"debug_id": DEBUG_ID}).json()["items"]
        assert [row["id"] for row in rows] == [first.pk]
        assert signed_in(teammate_user).get("/errors/source-maps").status_code == 403
        assert signed_in(teammate_user).post(f"/errors/source-maps/{first.pk}/delete").status_code == 403
        assert browser.post(f"/errors/source-maps/{first.pk}/delete").status_code == 302
        assert [one.pk for one in Bundle.objects.all()] == [other.pk]


@pytest.mark.slow
@pytest.mark.django_db
class TestGrouped:
    @pytest.fixture(autouse=True)
    def _empty(self, errors: Engine) -> None:
        return

    def test_builds_are_one_issue(self, owner: Actor, owner_user: User) -> None:
        def built(address: str, **more: Any) -> dict[str, Any]:
            own = {"event_id": uuid4().hex, "tags": {"service": "shop"}, "timestamp": ago(minutes=1).timestamp()}
            return {**event(address), **own, **more}

        [before] = issues(built("app:///app.js"))
        moved = built("app:///app.js", debug_meta=image())
        last_frame(moved)["lineno"] = 999
        [same] = issues(moved, built("app:///app.js", debug_meta=image()))
        assert (same.pk, same.event_count, same.hashes.count()) == (before.pk, 3, 3), "no map tells them apart"
        actions.upload(owner, Build(42), [bundle()])
        others = [built(f"app:///{name}.js", debug_meta=image(f"app:///{name}.js")) for name in "fg"]
        for one, name in zip(others, "fg", strict=True):
            last_frame(one)["function"] = name
        _former, told = issues(others[0])
        assert told.culprit == "src/payments.mjs in chargeCustomer"
        assert len(issues(others[1])) == 2, "one of the source"
        told.refresh_from_db()
        assert (told.event_count, told.culprit) == (2, "src/payments.mjs in chargeCustomer")
        page = signed_in(owner_user).get(f"/errors/{told.pk}").content.decode()
        assert "payments.mjs" in page
        assert "by source map" in page
