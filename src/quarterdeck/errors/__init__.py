"""Errors as issues: events of Sentry's SDKs that are the same error, their state, releases, what to do about them."""
