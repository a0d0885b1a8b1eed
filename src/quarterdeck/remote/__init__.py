"""Transports to other machines. Empty until runs are built."""
