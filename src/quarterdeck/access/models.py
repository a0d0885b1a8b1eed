"""People, groups, roles scoped by query, tokens, one-time links. Written by `access.actions` only."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser, Group
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A person who signs in. Groups are Django's."""


class Role(models.Model):
    """Grants `verbs` (`["inventory.view"]`, `["*"]`) on the items that `query` selects; the empty query selects all."""

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120, blank=True)
    description = models.TextField(blank=True)
    verbs = models.JSONField(default=list)
    query = models.TextField(blank=True)
    builtin = models.BooleanField(default=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class RoleBinding(models.Model):
    """A role given to a person or to a group: exactly one of the two."""

    role = models.ForeignKey(Role, models.CASCADE, related_name="bindings")
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="role_bindings")
    group = models.ForeignKey(Group, models.CASCADE, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, group__isnull=True) | Q(user__isnull=True, group__isnull=False),
                name="binding_to_one",
            ),
            models.UniqueConstraint(fields=["role", "user"], name="role_once_per_user"),
            models.UniqueConstraint(fields=["role", "group"], name="role_once_per_group"),
        ]

    def __str__(self) -> str:
        return f"{self.role} -> {self.user or self.group}"


class Token(models.Model):
    """A key for programs. Only its SHA-256 is kept; `hint` is its first characters, to tell tokens apart.

    With `user` set it can do what both its roles and that person may; without, what its roles grant.
    """

    name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12)
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="tokens")
    roles = models.ManyToManyField(Role, related_name="+")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.name


class OneTimeLink(models.Model):
    """A link that works once and for a while: the first set-up, or a person's way to choose a password."""

    class Purpose(models.TextChoices):
        SETUP = "setup", _("first set-up")
        PASSWORD = "password", _("choose a password")

    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class Credential(models.Model):
    """What somebody signs in with on hosts. The secret is encrypted, see `access.vault.envelope`; nothing shows it.

    `shown` holds what may be shown of the secret: `{"algorithm": "ssh-ed25519", "fingerprint": "SHA256:..."}`.
    `key_id` names the key that `wrapped`, the record's own data key, is wrapped with. A credential whose key was lost
    and given up has none of the three: it waits for its secret.
    """

    class Kind(models.TextChoices):
        PASSWORD = "password", _("Password")
        SSH_KEY = "ssh_key", _("SSH key")
        SSH_CERTIFICATE = "ssh_certificate", _("SSH certificate")
        BECOME_PASSWORD = "become_password", _("Password to become another user")

    class Become(models.TextChoices):
        SUDO = "sudo", "sudo"
        SU = "su", "su"
        DOAS = "doas", "doas"

    name = models.SlugField(max_length=100, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    username = models.CharField(max_length=64, blank=True)
    description = models.CharField(max_length=500, blank=True)
    become_method = models.CharField(max_length=8, choices=Become.choices, blank=True)
    become_user = models.CharField(max_length=64, blank=True)
    shown = models.JSONField(default=dict)
    sealed = models.BinaryField(default=b"")
    wrapped = models.TextField(blank=True)
    key_id = models.CharField(max_length=120, blank=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    secret_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)
        indexes = [models.Index(fields=["key_id"], name="credential_key")]

    def __str__(self) -> str:
        return self.name

    @property
    def has_secret(self) -> bool:
        return bool(self.key_id)


class Attachment(models.Model):
    """A credential is for the items that `query` selects; where several are, the highest `priority` wins."""

    credential = models.ForeignKey(Credential, models.CASCADE, related_name="attachments")
    query = models.TextField()
    priority = models.SmallIntegerField(default=0)

    class Meta:
        ordering = ("-priority", "id")

    def __str__(self) -> str:
        return f"{self.credential} -> {self.query}"
