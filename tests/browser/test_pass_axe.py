"""Every page, in both themes, wide and narrow: no finding of axe-core, nothing that scrolls sideways."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from django.urls import URLPattern, URLResolver, resolve
from playwright.sync_api import expect
from tests.browser.conftest import Open

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PAGES = [
    "/", "/items", "/items?q=type:host", "/items?q=tipe:host", "/items/new", "/items/new?type=host", "/items/trash",
    "/items/drift", "/items/merges", "/changes/1", "/topology", "/types", "/types/host", "/types/host/edit",
    "/types/-/new", "/types/-/import", "/types/host/attributes/-/new", "/types/host/attributes/cpu_count",
    "/types/host/attributes/notes/remove", "/imports", "/audit", "/audit?q=verb:nothing", "/audit/1", "/access",
    "/access/users/new", "/access/users/1", "/access/groups", "/access/groups/new", "/access/roles", "/access/roles/1",
    "/credentials", "/credentials/new/ssh_certificate", "/credentials/new/become_password",
    "/host-keys", "/host-keys?q=is:changed", "/host-keys/import", "/hosts/new", "/runs", "/runs/new?q=type:host",
    "/runs/new/push", "/runs/new/playbook?q=type:host", "/runs/new/pull?q=type:host",
    "/templates", "/templates/new", "/schedules", "/schedules/new?q=type:host",
    "/guards", "/guards/new", "/guards/1",
    "/terminals", "/terminals?state=ended",
    "/access/roles/new", "/access/tokens", "/access/tokens/new", "/settings", "/settings/system", "/settings/sources",
    "/metrics", "/metrics?q=up%20or%20vector(1)", "/metrics?q=sum(", "/metrics/fleet", "/metrics/changed",
    "/metrics/fleet?metric=system_cpu_load_average_1m",
    "/dashboards", "/dashboards/new", "/dashboards/import", "/dashboards/types/host", "/dashboards/types/host?kiosk=1",
    "/intake", "/intake/connect/otlp", "/intake/targets", "/intake/keys", "/intake/keys/new", "/intake/dead",
    "/intake/redaction", "/intake/redaction/new", "/intake/redaction/card",
    "/traces", "/traces?q=service:nobody", "/traces?q=duration:>soon", "/traces/compare",
    "/traces/changed?q=status:error&against=rest", "/services", "/services/map", "/statements",
    "/statements?category=cache",
    "/logs", "/logs?q=level:>=warning", "/logs?q=level:x", "/logs/patterns", "/logs/changed", "/logs/metrics",
    "/errors", "/errors?q=", "/errors?q=is:never", "/errors/releases", "/errors/rules", "/errors/owners",
    "/errors/source-maps", "/errors/source-maps?q=none", "/errors/monitors",
    "/me", "/me/tokens", "/accounts/password/change/", "/accounts/2fa/", "/accounts/2fa/totp/activate/",
    "/accounts/sessions/", "/nothing-here",
]  # fmt: skip
STRANGERS = ["/accounts/login/", "/set-up/used", "/welcome/used"]
# Fragments of pages, files, and what is only sent; `import` and `group` are pages that tests below walk to, a key
# and a dead letter those that test_intake.py walks to, a trace and a service those of test_traces.py, an issue and
# its events those of test_errors.py, a dashboard those of test_dashboards.py, a run and its hosts those of
# test_runs.py, a terminal and its recording those of test_terminals.py.
NO_PAGES = {
    "attention", "change_undo", "completions", "export_audit", "export_types", "group", "import", "import_errors",
    "import_keys", "import_progress", "issue", "issue_change", "issue_comment", "issue_events", "issue_of_event",
    "issue_payload", "issue_rule_delete", "issue_split", "issue_tags", "release",
    "intake_connect_key", "intake_dead_change", "intake_key", "intake_key_revoke",
    "intake_letter", "intake_rule_delete", "intake_rule_switch", "intake_rules_try", "item_bulk", "item_chart",
    "item_drift", "item_export", "item_facets", "item_pick", "item_relate", "item_request_chart", "item_unrelate",
    "item_usage", "merge_decide", "merge_undo", "metrics_completions", "metrics_data", "metrics_export",
    "metrics_fleet_data", "move_attribute", "palette", "remove_group", "remove_role", "remove_type", "revoke_token",
    "role_preview", "save_role", "save_user", "service", "service_chart", "service_map_graph", "set_range",
    "set_selector", "source_map_delete",
    "start_import", "sync_sources", "topology_graph", "trace", "trace_span", "trace_spans",
    "user_active", "user_link", "verify_audit", "view_delete", "view_save",
    "dashboard", "dashboard_data", "dashboard_delete", "dashboard_export", "dashboard_keep", "dashboard_made_data",
    "dashboard_panel", "dashboard_panel_move", "dashboard_panel_new", "dashboard_panel_remove", "dashboard_restore",
    "dashboard_settings", "dashboard_versions",
    "log_completions", "log_context", "log_export", "log_facets", "log_histogram", "log_line", "log_statistics",
    "credential", "credential_attach", "credential_delete", "credential_detach", "credential_save", "credential_secret",
    "schedule", "schedule_act", "schedule_edit", "schedule_times",
    "template", "template_delete", "template_edit", "template_export", "template_take",
    "credentials_rotate", "guard_delete", "guards_met", "host_keys_decide", "hosts_preview", "item_facts",
    "item_packages", "run", "run_act", "run_chosen_hosts", "run_decide", "run_difference", "run_file", "run_files",
    "run_host", "run_host_download", "run_live", "run_part",
    "item_file_download", "item_files",
    "terminal", "terminal_act", "terminal_download", "terminal_events", "terminal_new",
    "log_tail", "log_metric_backfill", "log_metric_delete", "log_view_delete", "log_view_save",
}  # fmt: skip
TABS = [
    "", "/metrics", "/logs", "/requests", "/errors", "/runs", "/relations", "/history", "/timeline", "/sources",
    "/edit", "/merge", "/merge?into=",
]  # fmt: skip
FINDINGS = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.map(
    one => `${one.id}: ${one.nodes.map(node => node.html.slice(0, 200)).join(" | ")}`))"""
pytestmark = pytest.mark.slow


def inspect(page: Page) -> None:
    if not page.evaluate("'axe' in window"):
        # The policy lets no script in by a tag; the debugger's door is not the page's.
        page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    assert page.evaluate(FINDINGS) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def inspect_both(page: Page) -> None:
    """Wide in the light, then narrow in the dark, and back. The page is one of theme "auto"."""
    inspect(page)
    _look(page, "dark", 390)
    inspect(page)
    _look(page, "light", 1440)


def _look(page: Page, theme: Literal["light", "dark"], width: int) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)


@pytest.mark.parametrize("path", PAGES)
def test_it_finds_nothing_on_a_page(look_at: Open, machine: int, path: str) -> None:
    inspect_both(look_at(path))


@pytest.mark.parametrize("tab", TABS)
def test_it_finds_nothing_on_an_item(look_at: Open, machine: int, tab: str) -> None:
    inspect_both(look_at(f"/items/{machine}{tab}"))


@pytest.mark.parametrize("path", STRANGERS)
def test_it_finds_nothing_on_what_a_stranger_sees(look_at: Open, path: str) -> None:
    inspect_both(look_at(path, is_signed_in=False))


@pytest.mark.parametrize("dialog", ["choose-columns", "save-view"])
def test_it_finds_nothing_in_a_dialog_and_escape_closes_it(look_at: Open, machine: int, dialog: str) -> None:
    page = look_at("/items")
    page.locator(f"[data-dialog={dialog}]").evaluate("button => button.click()")
    expect(page.locator(f"#{dialog}")).to_be_visible()
    inspect_both(page)
    page.keyboard.press("Escape")
    expect(page.locator(f"#{dialog}")).not_to_be_visible()


def test_it_finds_nothing_in_the_palette(look_at: Open, machine: int) -> None:
    page = look_at("/items")
    page.keyboard.press("Control+k")
    expect(page.locator("#qd-palette [role=option]").first).to_be_visible()
    inspect_both(page)


def test_it_finds_nothing_on_the_steps_of_an_import(open_page: Open) -> None:
    page = open_page("/imports", theme="auto")
    body = b"name,env,cpu_count\nimported-1,lab,4\nimported-2,lab,many\n"
    page.set_input_files("input[type=file]", {"name": "hosts.csv", "mimeType": "text/csv", "buffer": body})
    page.locator(".card-footer button").click()
    page.locator("select[name=type]").select_option("host")
    inspect(page)
    page.locator("button[value=try]").click()
    expect(page.locator(".qd-counts")).to_be_visible(timeout=60_000)
    inspect_both(page)


def test_it_finds_nothing_where_a_form_was_refused(open_page: Open) -> None:
    page = open_page("/access/users/new", theme="auto")
    page.fill("input[name=username]", "no such name!")
    page.keyboard.press("Enter")
    expect(page.locator(".qd-field-error").first).to_be_visible()
    inspect_both(page)


def test_it_finds_nothing_on_a_group(open_page: Open) -> None:
    page = open_page("/access/groups/new", theme="auto")
    page.fill("input[name=name]", "Crew")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Crew").click()
    expect(page.locator("input[name=name]")).to_have_value("Crew")
    inspect_both(page)


def test_every_page_is_looked_at() -> None:
    """A new page belongs in a list above; what is no page belongs below."""
    paths = [path.partition("?")[0] for path in [*PAGES, *STRANGERS, *(f"/items/1{tab}" for tab in TABS)]]
    seen = {resolve(path).url_name for path in paths if path != "/nothing-here"}
    patterns = chain.from_iterable(part.url_patterns for part in import_module("quarterdeck.web.urls").urlpatterns)
    names = {one.name for part in patterns for one in _leaves(part) if one.name != "set_language"}
    assert names - seen == NO_PAGES


def _leaves(part: URLPattern | URLResolver) -> Iterator[URLPattern]:
    if isinstance(part, URLPattern):
        yield part
    else:
        for one in part.url_patterns:
            yield from _leaves(one)
