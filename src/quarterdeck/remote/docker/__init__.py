"""The Docker Engine of a host over its HTTP interface: a unix socket, TCP with TLS, or our warm SSH connection.

The base is httpcore (beneath httpx, which is here anyway) with h11: it takes any stream of bytes as a connection, so
that the SSH channel needs no local socket and no thread. aiodocker would bring aiohttp as a second HTTP client, and the
official SDK is one thread per call. See https://docs.docker.com/reference/api/engine/
"""
