"""Secrets that are replaced before anything is stored: built-in rules and those that people add."""

from __future__ import annotations

from quarterdeck.telemetry.mapping import Rule
from quarterdeck.telemetry.models import RedactionRule

# (name, title, pattern, replacement). Patterns are RE2's: no look-around, no references back.
BUILT_IN = (
    ("card", "Payment card numbers", r"\b(?:4\d{3}|5[1-5]\d{2}|6(?:011|5\d{2}|2\d{2})|3[47]\d{2})[ -]?\d{4}[ -]?\d{4}[ -]?\d{3,4}\b", "[card]"),
    ("bearer", "Bearer and basic credentials", r"(?i)\b((?:bearer|basic)\s+)[a-z0-9+/=._~-]{12,}", r"\1***"),
    ("password", "Passwords and secrets in key=value or JSON", r"""(?i)((?:password|passwd|pwd|secret|api_?key|access_?key|access_?token|auth_?token|client_?secret|private_?key)["']?\s*[=:]\s*["']?)[^\s"'&,;}]{3,}""", r"\1***"),
    ("url-password", "Passwords in URLs", r"(\b[a-z][a-z0-9+.-]+://[^\s:/@]+:)[^\s@/]+@", r"\1***@"),
    ("jwt", "JSON web tokens", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}", "[jwt]"),
    ("cloud-key", "Access keys of AWS, GitHub, GitLab, Slack, Aliyun", r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|LTAI[A-Za-z0-9]{12,24})", "[key]"),
    ("private-key", "Private keys in PEM", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\s\\]+", "[private key]"),
)  # fmt: skip


def rules() -> list[Rule]:
    """Return the rules in force, by name."""
    found = RedactionRule.objects.filter(is_enabled=True).order_by("name")
    return [Rule(rule.name, rule.pattern, rule.replacement) for rule in found]
