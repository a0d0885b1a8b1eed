"""The forms that start a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from quarterdeck.core.durations import seconds_of
from quarterdeck.jobs.runners import pull
from quarterdeck.jobs.runs.planning import MAX_AT_ONCE, Options

_MONO = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "class": "form-control font-monospace"}
_MAX_FILE_BYTES = 1 << 20


class WaysForm(forms.Form):
    """On which hosts, and in which way: what the forms of all kinds of work share."""

    query = forms.CharField(widget=forms.HiddenInput, required=False, max_length=20_000)
    becomes = forms.BooleanField(
        label=_("Become another user"),
        required=False,
        help_text=_("Root by sudo, unless a credential that is attached says otherwise."),
    )
    credential = forms.ChoiceField(label=_("Credential"), required=False)
    accepts_new_host_keys = forms.BooleanField(
        label=_("Accept new host keys"),
        required=False,
        help_text=_("The key that a host shows at first contact counts from then on. A changed one is never accepted."),
    )
    batch = forms.CharField(
        label=_("Batches"),
        required=False,
        max_length=200,
        help_text=_("Sizes that follow each other, the last one again and again: 1,10%,50%. Empty: all at once."),
    )
    pauses_after_first = forms.BooleanField(label=_("Wait for my word after the first batch"), required=False)
    max_fail = forms.CharField(
        label=_("Stop when more fail"),
        required=False,
        max_length=20,
        help_text=_("Of one batch: 5% or 3. Nothing more begins then."),
    )
    timeout = forms.CharField(
        label=_("Time for each host"),
        required=False,
        max_length=20,
        help_text=_("30s, 5m or 2h; the processes are ended then."),
    )
    at_once = forms.IntegerField(label=_("Hosts at the same time"), min_value=1, max_value=MAX_AT_ONCE, initial=200)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=500, help_text=_("For the audit log."))

    def __init__(self, *args: Any, credentials: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["credential"]
        field.choices = [("", _("as attached to each host")), *((name, name) for name in credentials)]  # type: ignore[attr-defined]

    def clean_timeout(self) -> float | None:
        text = str(self.cleaned_data["timeout"]).strip()
        if not text:
            return None
        try:
            return seconds_of(text)
        except ValueError:
            raise forms.ValidationError(_("This is no time; write 30s, 5m or 2h.")) from None

    def options(self) -> Options:
        values = self.cleaned_data
        same = (
            "becomes",
            "credential",
            "accepts_new_host_keys",
            "batch",
            "pauses_after_first",
            "max_fail",
            "at_once",
            "reason",
        )
        return Options(timeout_seconds=values["timeout"], **{name: values[name] for name in same})


class RunForm(WaysForm):
    """A command or a script."""

    runner = "ssh"
    command = forms.CharField(
        label=_("Command"),
        required=False,
        max_length=64 << 10,
        widget=forms.Textarea(attrs={"rows": 2, **_MONO}),
        help_text=_("For the shell of the hosts, as you would type it there."),
    )
    script = forms.CharField(
        label=_("Or a script"),
        required=False,
        max_length=1 << 20,
        widget=forms.Textarea(attrs={"rows": 5, **_MONO}),
        help_text=_(
            "Its first line says what runs it (#!/usr/bin/env python3), /bin/sh else. Nothing of it stays on the host."
        ),
    )
    arguments = forms.CharField(
        label=_("Arguments of the script"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, **_MONO}),
        help_text=_("One on each line. No shell looks into them."),
    )

    def work(self) -> dict[str, Any]:
        """Return the work of the valid form, as the runner reads it."""
        values = self.cleaned_data
        work: dict[str, Any] = {name: values[name] for name in ("command", "script") if values[name].strip()}
        if arguments := values["arguments"].splitlines():
            work["arguments"] = arguments
        return work

    @staticmethod
    def initial_of(work: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the form has for the work of a run before."""
        arguments = "\n".join(work.get("arguments", ()))
        return {name: work.get(name, "") for name in ("command", "script")} | {"arguments": arguments}


class PushForm(WaysForm):
    """Files to hosts. The files themselves are no field: uploads stay, whatever else is wrong."""

    runner = "push"
    path = forms.CharField(
        label=_("Path on the hosts"),
        max_length=4096,
        widget=forms.TextInput(attrs=_MONO),
        help_text=_("With a / at its end, and for several files, it is a directory: /etc/nginx/"),
    )
    mode = forms.CharField(
        label=_("Mode"), required=False, max_length=4, help_text=_("0644, for example. Empty: as it is on the host.")
    )
    owner = forms.CharField(label=_("Owner of the file"), required=False, max_length=100)
    group = forms.CharField(label=_("Group of the file"), required=False, max_length=100)
    is_template = forms.BooleanField(
        label=_("They are templates"),
        required=False,
        help_text=_("Jinja2, with each host's values: {{ name }}, {{ env }}, {{ labels.role }} and its attributes."),
    )
    makes_directories = forms.BooleanField(label=_("Make directories that are not there"), required=False)
    keeps_backup = forms.BooleanField(label=_("Keep what is replaced, beside it"), required=False)
    is_check = forms.BooleanField(
        label=_("Only tell what would change"),
        required=False,
        help_text=_("Nothing is done on the hosts; of texts the differences are shown."),
    )
    hides_diff = forms.BooleanField(
        label=_("Show no differences"), required=False, help_text=_("For files that hold secrets.")
    )
    _FLAGS = ("is_template", "makes_directories", "keeps_backup")

    def work(self, files: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Return the work of the valid form with files as the runner names them."""
        values = self.cleaned_data
        texts = {name: values[name] for name in ("path", "mode", "owner", "group") if values[name]}
        flags = {name: True for name in self._FLAGS if values[name]}
        return {**texts, **flags, "shows_diff": not values["hides_diff"], "files": list(files)}

    def options(self) -> Options:
        return replace(super().options(), is_check=self.cleaned_data["is_check"])

    @classmethod
    def initial_of(cls, work: Mapping[str, Any]) -> dict[str, Any]:
        same = {name: work.get(name, "") for name in ("path", "mode", "owner", "group")}
        flags = {name: work.get(name, False) for name in cls._FLAGS}
        return same | flags | {"hides_diff": not work.get("shows_diff", True)}


class PullForm(WaysForm):
    """Files from hosts."""

    runner = "pull"
    path = forms.CharField(
        label=_("Path on the hosts"),
        max_length=4096,
        widget=forms.TextInput(attrs=_MONO),
        help_text=_("A file, a directory with all below it, or a pattern: /var/log/nginx/*.log"),
    )
    max_mb = forms.IntegerField(
        label=_("From each host at most (MB)"), min_value=1, max_value=pull.MAX_MB, initial=pull.USUAL_MB
    )
    max_files = forms.IntegerField(
        label=_("Files of each host at most"), min_value=1, max_value=pull.MAX_FILES, initial=pull.MAX_FILES
    )

    def work(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("path", "max_mb", "max_files")}

    @staticmethod
    def initial_of(work: Mapping[str, Any]) -> dict[str, Any]:
        return dict(work)


class PlaybookForm(WaysForm):
    """An Ansible playbook of one file, or one module."""

    runner = "ansible"
    playbook = forms.CharField(
        label=_("Playbook"),
        required=False,
        max_length=1 << 20,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10, **_MONO}),
        help_text=_("It is played on these hosts only, whatever its hosts say beside."),
    )
    file = forms.FileField(
        label=_("Or a file"),
        required=False,
        help_text=_(
            "A playbook of one file. One with roles and templates comes by qd playbook, which takes them along."
        ),
    )
    module = forms.CharField(
        label=_("Module"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_MONO),
        help_text=_("For example service or ansible.builtin.apt."),
    )
    arguments = forms.CharField(
        label=_("Arguments of the module"),
        required=False,
        max_length=64 << 10,
        widget=forms.TextInput(attrs=_MONO),
        help_text=_("As Ansible writes them: name=nginx state=restarted"),
    )
    variables = forms.CharField(
        label=_("Variables"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, **_MONO}),
        help_text=_("One on each line: version=1.2. They are texts; no template is looked for in them."),
    )
    tags = forms.CharField(
        label=_("Tags"), required=False, max_length=1000, help_text=_("Only what has one of them: deploy, web")
    )
    timeout = forms.CharField(
        label=_("Time for the playbook"),
        required=False,
        max_length=20,
        help_text=_("30s, 5m or 2h; the processes are ended then."),
    )
    is_check = forms.BooleanField(label=_("Only tell what would change"), required=False)
    shows_diff = forms.BooleanField(label=_("Show what changes in files"), required=False)

    def clean_file(self) -> str:
        """Return the file's text, "" for none."""
        found = self.cleaned_data["file"]
        if not found:
            return ""
        if found.size > _MAX_FILE_BYTES:
            raise forms.ValidationError(_("This is longer than 1 MB."))
        try:
            return str(found.read().decode())
        except UnicodeDecodeError:
            raise forms.ValidationError(_("This is no text in UTF-8.")) from None

    def clean_variables(self) -> dict[str, str]:
        pairs = [line.partition("=") for line in self.cleaned_data["variables"].splitlines() if line.strip()]
        for name, equals, _value in pairs:
            if not equals:
                raise forms.ValidationError(_('"%(line)s" is not NAME=value.'), params={"line": name[:60]})
        return {name.strip(): value.strip() for name, _equals, value in pairs}

    def work(self) -> dict[str, Any]:
        """Return the work of the valid form, as the runner reads it."""
        values = self.cleaned_data
        playbook = values["playbook"] if values["playbook"].strip() else values["file"]
        work: dict[str, Any] = {"playbook": playbook} if playbook else {}
        if values["module"]:
            work |= {"module": values["module"], "arguments": values["arguments"]}
        tags = [tag.strip() for tag in values["tags"].split(",") if tag.strip()]
        more = {"variables": values["variables"], "tags": tags, "shows_diff": values["shows_diff"]}
        return work | {name: value for name, value in more.items() if value}

    def options(self) -> Options:
        return replace(super().options(), is_check=self.cleaned_data["is_check"])

    @staticmethod
    def initial_of(work: Mapping[str, Any]) -> dict[str, Any]:
        # Of variables only their names are told: a retry has them, a form does not.
        same = {name: work.get(name, "") for name in ("playbook", "module", "arguments")}
        return same | {"tags": ", ".join(work.get("tags", ())), "shows_diff": work.get("shows_diff", False)}
