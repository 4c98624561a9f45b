"""The ledger itself: a fault test is worth what its bookkeeping notices."""

from conformance_tests.faults.workload import Ledger


def test_ledger_notices_loss_and_half_writes() -> None:
    """F1: the ledger accepts the last acknowledged text, or the one whose answer never came, and nothing else."""
    ledger = Ledger(state={"a": b"old", "gone": None}, open={})
    assert ledger.allows("a", b"old")
    assert not ledger.allows("a", None), "an acknowledged write was lost"
    assert not ledger.allows("a", b"ol"), "half a write"
    assert not ledger.allows("gone", b"old"), "a removed object came back"
    ledger.open["a"] = b"new"
    assert ledger.allows("a", b"old") and ledger.allows("a", b"new")
    assert not ledger.allows("a", None)
