"""The machinery of the one write path: content -> identify -> effective -> derived -> store. Callers use `actions`."""
