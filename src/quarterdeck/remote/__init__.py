"""Reaching hosts: SSH over a pool of warm connections, host keys, becoming another user, commands with bounds; files
over SFTP; containers; commands on this machine.

No tables here: who calls knows the items, opens the credentials and keeps the host keys. Everything is asyncio;
`loop.run` is the door for code that is not.
"""
