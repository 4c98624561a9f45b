"""Quota properties: RFC 4331 §3 and §4."""

from conformance_tests.client import Calendar, Client
from testing.builders import event


def test_used_bytes(client: Client, calendar: Calendar) -> None:
    """RFC 4331 §4: quota-used-bytes is a number that grows with what is stored."""
    before = int(client.propfind(client.home, "D:quota-used-bytes").only.text("D:quota-used-bytes"))
    calendar.add("a.ics", event(more=f"X-FILL:{'x' * 3000}"))
    after = int(client.propfind(client.home, "D:quota-used-bytes").only.text("D:quota-used-bytes"))
    assert after >= before + 3000


def test_available_bytes(client: Client) -> None:
    """RFC 4331 §3: quota-available-bytes is a number, or not defined where there is no quota."""
    item = client.propfind(client.home, "D:quota-available-bytes").only
    assert item.status_for("D:quota-available-bytes") == 404 or int(item.text("D:quota-available-bytes")) >= 0


def test_not_in_allprop(client: Client) -> None:
    """RFC 4331 §5: quota properties are not part of allprop."""
    item = client.propfind_raw(client.home, None).multistatus.only
    assert not item.has("D:quota-used-bytes") and not item.has("D:quota-available-bytes")
