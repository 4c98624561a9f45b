"""The HTTP edge: bytes on a socket become a ``Request``, a ``Response`` becomes bytes on a socket.

Nothing in this package knows what a calendar is. The faces see ``messages`` only.
"""
