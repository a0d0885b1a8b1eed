"""A DSN has a key always, also where none is needed."""

from __future__ import annotations

import pytest

from quarterdeck.intake.keyring import Key, Keyring, digest
from quarterdeck.telemetry.receiving import Refused


def _keyring(*, is_loopback_open: bool) -> Keyring:
    def key(number: int, plain: str, *, is_revoked: bool = False) -> Key:
        return Key(number, plain, digest(plain), frozenset(), {}, (), 0, is_revoked=is_revoked)

    found = Keyring(lambda: [key(1, "good"), key(2, "old", is_revoked=True)], is_loopback_open=is_loopback_open)
    found.refresh()
    return found


def test_a_key_that_was_never_issued_counts_as_none() -> None:
    keyring = _keyring(is_loopback_open=True)
    assert keyring.find("sentry", "public", "127.0.0.1", is_forced=True).id == 0
    assert keyring.find("sentry", "good", "127.0.0.1", is_forced=True).id == 1


@pytest.mark.parametrize(
    ("secret", "address", "is_open", "is_forced"),
    [
        ("public", "10.0.0.1", True, True),
        ("public", "127.0.0.1", False, True),
        ("public", "127.0.0.1", True, False),
        ("old", "127.0.0.1", True, True),
        ("", "10.0.0.1", True, True),
    ],
)
def test_it_opens_no_other_door(secret: str, address: str, is_open: bool, is_forced: bool) -> None:
    with pytest.raises(Refused) as caught:
        _keyring(is_loopback_open=is_open).find("sentry", secret, address, is_forced=is_forced)
    assert caught.value.status == 401
