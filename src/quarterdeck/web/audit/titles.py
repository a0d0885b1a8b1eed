"""What the verbs of the audit log are called. Most events have a verb of their own, finer than the right they need."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

TITLES: dict[str, str | Promise] = {
    "access.bind_role": _("Gave a role"),
    "access.change_password": _("Changed the password"),
    "access.choose_password": _("Chose a password by a link"),
    "access.connect_identity": _("Connected an identity provider"),
    "access.create_group": _("Made a group"),
    "access.create_token": _("Made a token"),
    "access.create_user": _("Made an account"),
    "access.delete_group": _("Removed a group"),
    "access.delete_role": _("Removed a role"),
    "access.delete_user": _("Deleted an account"),
    "access.disconnect_identity": _("Disconnected an identity provider"),
    "access.join_groups": _("Changed groups at sign-in"),
    "access.manage": _("Managed access"),
    "access.password_link": _("Made a link to set a password"),
    "access.revoke_token": _("Revoked a token"),
    "access.second_factor": _("Checked the second factor"),
    "access.second_factor_added": _("Set up a second factor"),
    "access.second_factor_removed": _("Removed a second factor"),
    "access.second_factor_reset": _("Made new recovery codes"),
    "access.set_members": _("Changed the members of a group"),
    "access.set_role": _("Changed a role"),
    "access.setup": _("Set up the instance"),
    "access.setup_link": _("Made the set-up link"),
    "access.sign_in": _("Signed in"),
    "access.sign_out": _("Signed out"),
    "access.tokens": _("Handled tokens"),
    "access.unbind_role": _("Took a role away"),
    "access.update_own_profile": _("Changed one's own profile"),
    "access.update_user": _("Changed an account"),
    "access.view": _("Looked at access"),
    "audit.export": _("Exported the audit log"),
    "audit.verify": _("Verified the audit log"),
    "audit.view": _("Read the audit log"),
    "errors.assign": _("Assigned issues"),
    "errors.comment": _("Commented on an issue"),
    "errors.delete_rule": _("Deleted a rule of grouping"),
    "errors.edit": _("Worked on issues"),
    "errors.ignore": _("Ignored issues"),
    "errors.merge": _("Merged issues"),
    "errors.reopen": _("Reopened issues"),
    "errors.resolve": _("Resolved issues"),
    "errors.rules": _("Managed rules of grouping"),
    "errors.set_rule": _("Changed a rule of grouping"),
    "errors.split": _("Split an issue"),
    "inventory.acknowledge_drift": _("Acknowledged drift"),
    "inventory.apply": _("Took in items of a source"),
    "inventory.bulk_update": _("Changed many items"),
    "inventory.revert": _("Undid a change"),
    "inventory.create": _("Created an item"),
    "inventory.delete": _("Deleted items"),
    "inventory.delete_view": _("Deleted a view"),
    "inventory.edit": _("Changed items"),
    "inventory.event": _("Added to the timeline"),
    "inventory.export": _("Exported items"),
    "inventory.import": _("Imported a file"),
    "inventory.import.start": _("Started an import"),
    "inventory.import_types": _("Imported types"),
    "inventory.merge": _("Merged items"),
    "inventory.propose": _("Proposed a merge"),
    "inventory.purge": _("Purged items"),
    "inventory.refuse_merge": _("Refused a merge"),
    "inventory.relate": _("Related items"),
    "inventory.remove_attribute": _("Removed an attribute"),
    "inventory.remove_type": _("Removed a type"),
    "inventory.restore": _("Restored items"),
    "inventory.retire": _("Retired an item"),
    "inventory.retire_absent": _("Retired absent items"),
    "inventory.reveal_secret": _("Read a secret"),
    "inventory.save_view": _("Saved a view"),
    "inventory.secrets": _("Read secrets"),
    "inventory.set_attribute": _("Changed an attribute's definition"),
    "inventory.set_type": _("Changed a type"),
    "inventory.split": _("Split an item"),
    "inventory.request_sync": _("Asked for a reading of the sources"),
    "inventory.sweep": _("Marked items as missing"),
    "inventory.sync": _("Noted a pass of a source"),
    "inventory.trash": _("Moved items to the trash"),
    "inventory.types": _("Changed types"),
    "inventory.unmerge": _("Undid a merge"),
    "inventory.unrelate": _("Removed a relation"),
    "inventory.update": _("Changed an item"),
    "inventory.view": _("Looked at items"),
    "logs.delete_search": _("Deleted a view of logs"),
    "logs.export": _("Exported log lines"),
    "logs.save_search": _("Saved a view of logs"),
    "monitoring.collect": _("Measured this machine"),
    "settings.view": _("Looked at settings"),
    "system.backup": _("Made a backup"),
    "system.restore": _("Restored a backup"),
    "telemetry.change_key": _("Changed an intake key"),
    "telemetry.create_key": _("Made an intake key"),
    "telemetry.dead": _("Handled dead letters"),
    "telemetry.delete_dead": _("Deleted dead letters"),
    "telemetry.delete_rule": _("Deleted a rule of redaction"),
    "telemetry.intake": _("Looked at the intake"),
    "telemetry.keys": _("Managed the intake"),
    "telemetry.query": _("Read metrics"),
    "telemetry.retry_dead": _("Retried dead letters"),
    "telemetry.revoke_key": _("Revoked an intake key"),
    "telemetry.set_rule": _("Changed a rule of redaction"),
    "telemetry.show_dead": _("Read a dead letter"),
    "telemetry.sql": _("Read telemetry by SQL"),
}

KINDS: dict[str, str | Promise] = {
    "attribute": pgettext_lazy("kind of object", "attribute"),
    "change_set": pgettext_lazy("kind of object", "change set"),
    "group": pgettext_lazy("kind of object", "group"),
    "import": pgettext_lazy("kind of object", "import"),
    "item": pgettext_lazy("kind of object", "item"),
    "itemtype": pgettext_lazy("kind of object", "type"),
    "role": pgettext_lazy("kind of object", "role"),
    "savedsearch": pgettext_lazy("kind of object", "view of logs"),
    "savedview": pgettext_lazy("kind of object", "view"),
    "sync_run": pgettext_lazy("kind of object", "pass"),
    "token": pgettext_lazy("kind of object", "token"),
    "user": pgettext_lazy("kind of object", "user"),
}


def kind_of(code: str) -> str:
    """Return what people call a kind of object, or the code itself when another package wrote it."""
    return str(KINDS.get(code, code))


def title_of(verb: str) -> str:
    """Return the title, or the verb itself when a newer or a third party's package wrote it."""
    return str(TITLES.get(verb, verb))


def choices() -> list[tuple[str, str]]:
    """Return `[("access.sign_in", "Signed in"), ...]` by title."""
    return sorted(((verb, str(title)) for verb, title in TITLES.items()), key=lambda pair: pair[1])
