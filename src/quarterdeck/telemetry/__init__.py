"""The engine and its tables: metrics today, logs, spans and errors later."""
