"""How much of what senders are sending may be in memory at once, over all of them."""

from __future__ import annotations

from quarterdeck.intake.gate import Busy

_RETRY_SECONDS = 2


class Room:
    """Bytes of bodies that are on their way to the spool. Of one event loop."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.used_bytes = 0

    def share(self) -> Share:
        return Share(self)


class Share:
    """What one request holds: `with room.share() as share: share.grow(65_536)`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held_bytes = 0

    def __enter__(self) -> Share:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.used_bytes -= self._held_bytes

    def grow(self, size: int) -> None:
        """Hold `size` bytes more. Raises Busy when the others hold too much; one request alone always fits."""
        room = self._room
        if room.used_bytes > self._held_bytes and room.used_bytes + size > room._max_bytes:
            raise Busy(
                "the intake holds too many bodies", reason="memory", status=503, retry_after_seconds=_RETRY_SECONDS
            )
        room.used_bytes += size
        self._held_bytes += size
