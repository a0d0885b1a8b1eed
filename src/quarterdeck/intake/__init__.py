"""The road from the wire: listeners, spool, loader, dead letters. Today it answers health only."""
