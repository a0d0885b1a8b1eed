"""Credentials: encrypted where they lie, attached to items by query, used without being shown, every use audited."""
