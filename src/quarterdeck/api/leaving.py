"""Who leaves before the answer ends what he asked of the engine: a closed tab, "stop", a client's own time limit."""

from __future__ import annotations

import asyncio

from quarterdeck.api.bodies import App, Message, Receive, Scope, Send
from quarterdeck.telemetry import asking


class StopsQueries:
    """Goes around the whole application: Django hears of a client that left while a view still works in a thread."""

    def __init__(self, application: App) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        asked, is_over = asking.begin(), False

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and not is_over:
                # In a thread, and not awaited: this request is over.
                asyncio.get_running_loop().run_in_executor(None, asked.stop)
            return message

        async def told(message: Message) -> None:
            nonlocal is_over
            is_over = is_over or (message["type"] == "http.response.body" and not message.get("more_body", False))
            await send(message)

        await self._application(scope, heard, told)
