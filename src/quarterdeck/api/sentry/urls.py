"""The addresses of Sentry's API, below /api/0/."""

from __future__ import annotations

from django.urls import path

from quarterdeck.api.sentry import releases, uploads, views
from quarterdeck.api.sentry.answering import view

app_name = "sentry"
_ORG = "organizations/<str:organization>"
_PROJECT = "projects/<str:organization>/<str:project>"
_files = view(GET=uploads.files, POST=uploads.keep_file)
_releases = view(GET=releases.list_, POST=releases.create)
_release = view(GET=releases.read, PUT=releases.update)
_file = view(DELETE=uploads.delete_file)
urlpatterns = [
    path("", view(GET=views.whoami), name="whoami"),
    path(f"{_ORG}/chunk-upload/", view(GET=uploads.options, POST=uploads.keep), name="chunk_upload"),
    path(f"{_ORG}/artifactbundle/assemble/", view(POST=uploads.assemble), name="assemble"),
    path(f"{_ORG}/repos/", view(GET=releases.repositories), name="repositories"),
    path(f"{_ORG}/releases/", _releases, name="releases"),
    path(f"{_PROJECT}/releases/", _releases, name="project_releases"),
    path(f"{_ORG}/releases/<path:version>/previous-with-commits/", view(GET=releases.previous), name="previous"),
    path(f"{_ORG}/releases/<path:version>/files/", _files, name="files"),
    path(f"{_PROJECT}/releases/<path:version>/files/", _files, name="project_files"),
    path(f"{_ORG}/releases/<path:version>/files/<int:file>/", _file, name="file"),
    path(f"{_PROJECT}/releases/<path:version>/files/<int:file>/", _file, name="project_file"),
    # A version may hold a slash, so that what follows it comes first.
    path(f"{_ORG}/releases/<path:version>/", _release, name="release"),
    path(f"{_PROJECT}/releases/<path:version>/", _release, name="project_release"),
]
