"""Addresses of the intake's pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.intake import connect, dead, keys, overview, rules, targets

urlpatterns = [
    path("intake", overview.overview, name="intake"),
    path("intake/connect/<slug:protocol>", connect.connect, name="intake_connect"),
    path("intake/connect/<slug:protocol>/key", connect.new_key, name="intake_connect_key"),
    path("intake/targets", targets.listing, name="intake_targets"),
    path("intake/keys", keys.listing, name="intake_keys"),
    path("intake/keys/new", keys.new, name="intake_key_new"),
    path("intake/keys/<int:pk>", keys.edit, name="intake_key"),
    path("intake/keys/<int:pk>/revoke", keys.revoke, name="intake_key_revoke"),
    path("intake/dead", dead.listing, name="intake_dead"),
    path("intake/dead/change", dead.change, name="intake_dead_change"),
    path("intake/dead/<slug:name>", dead.letter, name="intake_letter"),
    path("intake/redaction", rules.listing, name="intake_rules"),
    path("intake/redaction/try", rules.trial, name="intake_rules_try"),
    path("intake/redaction/new", rules.new, name="intake_rule_new"),
    path("intake/redaction/<slug:name>", rules.edit, name="intake_rule"),
    path("intake/redaction/<slug:name>/switch", rules.switch, name="intake_rule_switch"),
    path("intake/redaction/<slug:name>/delete", rules.delete, name="intake_rule_delete"),
]
