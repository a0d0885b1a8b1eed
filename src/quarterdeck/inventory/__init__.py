"""The one inventory: types, items, relations, identities, history, reconciliation."""
