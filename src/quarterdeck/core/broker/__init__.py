"""The embedded broker: a kombu transport over one SQLite file, for an instance that needs nothing installed.

    store.py      messages, queues and bindings: what must survive a SIGKILL
    mailbox.py    wakes consumers at once, and tells living ones from dead ones
    transport.py  what Celery sees

kombu's own file and SQL transports poll once a second, lose or keep for ever what a killed worker had taken, and
cannot fan out, so that revoke and inspect fail. Here a message is a row that its consumer owns until it acknowledges
it; a consumer is alive while somebody reads its pipe; when it dies its rows come back.
"""
