"""Passive Zabbix agents: asked for the values of item keys, on port 10050."""
