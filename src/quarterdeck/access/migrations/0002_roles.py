"""The roles that every instance has."""

from django.db import migrations

ROLES = (
    ("admin", "Administrator", "Everything.", ["*"]),
    (
        "operator",
        "Operator",
        "Reads and changes the inventory, reads measurements, makes own tokens.",
        [
            "inventory.view",
            "inventory.edit",
            "inventory.delete",
            "inventory.import",
            "inventory.export",
            "inventory.merge",
            "telemetry.query",
            "access.tokens",
        ],
    ),
    (
        "viewer",
        "Viewer",
        "Reads the inventory and measurements.",
        ["inventory.view", "telemetry.query", "access.tokens"],
    ),
    (
        "auditor",
        "Auditor",
        "Reads and exports the audit log.",
        ["audit.*", "inventory.view", "access.view", "settings.view"],
    ),
)


def create(apps, schema_editor):
    role = apps.get_model("access", "Role")
    for name, title, description, verbs in ROLES:
        role.objects.create(name=name, title=title, description=description, verbs=verbs, builtin=True)


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]
    operations = [migrations.RunPython(create)]
