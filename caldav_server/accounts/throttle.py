"""Slows down password guessing without locking out the owners of the accounts.

Wrong passwords are counted per account and network (IPv4 /24, IPv6 /64), and per network over all accounts. After a
number of free failures each one costs a delay, and the delay doubles. A device that logged in lately is counted apart
from its network, so that nobody else there can lock it out. Rules of this module: no clock, times are arguments
(seconds of any monotonic clock); memory is bounded.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable
from dataclasses import dataclass

from cachetools import FIFOCache

from caldav_server.settings import AuthSettings

MAX_ENTRIES = 50_000
FORGET_SECONDS = 3600.0


def network_of(address: str) -> str:
    """The network an address belongs to; what is no IP address (a socket path) is a network of its own."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    prefix = 24 if parsed.version == 4 else 64
    return str(ipaddress.ip_network(f"{parsed}/{prefix}", strict=False))


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login attempt whose outcome is not known yet."""

    account: str
    network: str
    device: str
    keys: tuple[Hashable, ...]

    @property
    def shared_key(self) -> str:
        """The name under which all processes of a server count this account's failures from this network."""
        return f"login:{self.network}:{self.account}"


class Throttle:
    """The failed logins and the known devices of one process."""

    def __init__(self, settings: AuthSettings) -> None:
        self._free = settings.free_failures
        self._network_free = settings.network_failures
        self._max_delay = settings.max_delay_seconds
        self._known_seconds = settings.known_device_seconds
        self._failures: FIFOCache[Hashable, _Failures] = FIFOCache(MAX_ENTRIES)
        """The accounts and networks, or devices, with their failures; the one that failed longest ago goes first."""
        self._known_devices: FIFOCache[tuple[str, str, str], float] = FIFOCache(MAX_ENTRIES)

    def begin(self, account: str, address: str, agent: str, now: float) -> Attempt | float:
        """Begins an attempt, which counts as failed until ``succeed`` is called; or returns the seconds to wait.

        Counting first keeps many attempts at once from passing before the first one has failed.
        """
        network = network_of(address)
        device = agent[:200]
        known_at = self._known_devices.get((account, network, device))
        if known_at is not None and now - known_at < self._known_seconds:
            keys: tuple[Hashable, ...] = ((account, network, device),)
        else:
            keys = ((account, network), network)
        wait = max((self._wait(key, now) for key in keys), default=0.0)
        if wait > 0:
            return wait
        for key in keys:
            self._count(key, self._network_free if key == network else self._free, now)
        return Attempt(account, network, device, keys)

    def _wait(self, key: Hashable, now: float) -> float:
        entry = self._failures.get(key)
        if entry is None:
            return 0.0
        if now - entry.last > max(FORGET_SECONDS, self._max_delay):
            del self._failures[key]
            return 0.0
        return entry.blocked_until - now

    def _count(self, key: Hashable, free: int, now: float) -> None:
        entry = self._failures.get(key) or _Failures()
        self._failures[key] = entry  # it is the youngest now
        entry.count += 1
        entry.last = now
        if entry.count >= free:
            entry.blocked_until = now + min(self._max_delay, 2.0 ** min(entry.count - free, 30))

    def raise_count(self, attempt: Attempt, failures: int, now: float) -> None:
        """Counts the failures that other processes have seen as if they had happened here."""
        for key in attempt.keys:
            entry = self._failures.get(key)
            if key == attempt.network or entry is None or entry.count >= failures:
                continue
            entry.count = failures
            if failures >= self._free:
                entry.blocked_until = now + min(self._max_delay, 2.0 ** min(failures - self._free, 30))

    def succeed(self, attempt: Attempt, now: float) -> None:
        """The password was right: forgets the account's failures from this network and remembers the device."""
        for key in attempt.keys:
            if key != attempt.network:
                self._failures.pop(key, None)
            else:
                self._uncount(key)
        self._known_devices[attempt.account, attempt.network, attempt.device] = now

    def abandon(self, attempt: Attempt) -> None:
        """The password could not be checked (the database was away): the attempt does not count."""
        for key in attempt.keys:
            self._uncount(key)

    def _uncount(self, key: Hashable) -> None:
        entry = self._failures.get(key)
        if entry is not None:
            entry.count = max(0, entry.count - 1)
            entry.blocked_until = 0.0
