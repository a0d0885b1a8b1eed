"""One file per protocol that senders speak. Each exports `PLUGIN = Receiver(...)`; see `telemetry.receiving`."""
