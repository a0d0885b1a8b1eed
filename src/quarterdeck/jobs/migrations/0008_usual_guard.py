from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils.timezone import now

_COMMANDS = """\
# The machine goes down.
shutdown|reboot|halt|poweroff
init|telinit 0|6
systemctl reboot|halt|poweroff|rescue|emergency
# What is on a disk goes.
mkfs*
wipefs|blkdiscard|shred
dd of=/dev/*
rm -r|-R|--recursive /|/[*]|/bin|/boot|/dev|/etc|/home|/lib|/opt|/root|/sbin|/srv|/usr|/var|~
# Nobody comes in any more.
iptables|ip6tables -F|--flush
nft flush
userdel -r|--remove
"""


def add(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """One rule to begin with; whoever wants it otherwise changes or deletes it."""
    apps.get_model("jobs", "GuardRule").objects.using(editor.connection.alias).create(
        name="Hard to undo",
        description="These commands are hard to undo; a reason keeps one from typing them in passing.",
        commands=_COMMANDS,
        asks="reason",
        changed_at=now(),
        changed_by="system",
    )


class Migration(migrations.Migration):
    dependencies = [("jobs", "0007_guards")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
