"""The command line of the benchmark: ``python -m conformance_tests.bench``."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from conformance_tests.bench import campaign, large, many, memory, plot, polls, report, workers
from conformance_tests.bench.bars import GATE
from conformance_tests.bench.campaign import Plan, Progress, Results
from conformance_tests.bench.measure import Effort
from conformance_tests.bench.operations import OPERATIONS
from conformance_tests.bench.servers import OURS

QUICK = Plan(sizes=(300,), databases=("sqlite",), rounds=2, effort=Effort(0.2, 4), peers=False)
"""About a minute, with nothing installed but the server: what continuous integration runs."""


SCENARIOS = {"large": large.run, "many": many.run, "memory": memory.run, "polls": polls.run, "workers": workers.run}
"""Further measurements, each a function of a folder, the databases, and where to report progress."""


def say() -> Progress:
    """Writes lines to standard error with the seconds since now."""
    begun = time.monotonic()
    return lambda line: print(f"{time.monotonic() - begun:7.1f} s  {line}", file=sys.stderr, flush=True)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m conformance_tests.bench", description=__doc__)
    made.add_argument("--quick", action="store_true", help="SQLite and the floor, 300 objects: about a minute")
    made.add_argument("--scenario", choices=list(SCENARIOS), help="something else instead of the operations")
    made.add_argument("--sizes", type=_numbers, default=(1000, 10000), help="objects in the calendar: 1000,10000")
    made.add_argument("--databases", default=",".join(OURS), help="sqlite,postgresql")
    made.add_argument("--operation", dest="operations", action="append", choices=list(OPERATIONS), help="only this")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--cpu", type=float, default=0.25, help="seconds of server CPU that a cell goes on for")
    made.add_argument("--no-peers", action="store_true", help="neither Radicale nor Xandikos")
    made.add_argument("--peers", type=Path, help="the virtual environment they are installed in, if not this one")
    made.add_argument("--peer-size", type=int, default=1000, help="the largest calendar that peers are filled with")
    made.add_argument("--folder", type=Path, help="where the data goes while it runs (a folder open to all)")
    made.add_argument("--output", type=Path, default=Path("build/bench"), help="where the results go")
    return made


def _scenario(name: str, options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="caldav-bench-", dir=options.folder) as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # PostgreSQL runs as another user where this program is root
        lines = SCENARIOS[name](folder, tuple(options.databases.split(",")), say())
    print("\n".join(lines))
    return int(any("WRONG" in line for line in lines))


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the options mean."""
    if options.quick:
        return QUICK
    return Plan(
        sizes=options.sizes,
        databases=tuple(options.databases.split(",")),
        rounds=options.rounds,
        effort=Effort(options.cpu, max(8.0, options.cpu * 20)),
        operations=tuple(options.operations or OPERATIONS),
        peers=not options.no_peers,
        peer_programs=options.peers,
        peer_size=options.peer_size,
        folder=options.folder,
    )


def write(results: Results, folder: Path) -> None:
    """The table, the JSON and the drawing."""
    folder.mkdir(parents=True, exist_ok=True)
    report.save(results, folder / "results.json")
    (folder / "results.txt").write_text(report.table(results), encoding="utf-8")
    (folder / "results.svg").write_text(plot.draw(results), encoding="utf-8")


def main() -> int:
    """Runs it; 1 when one of our answers was wrong or the poll is below the gate."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    options = parser().parse_args()
    if options.scenario:
        return _scenario(options.scenario, options)
    plan = plan_of(options)
    results = campaign.run(plan, say())
    write(results, options.output)
    print(report.table(results))
    print(f"Also in {options.output}/: results.txt, results.json, results.svg")
    low = [share for name, share in report.poll_shares(results).items() if name == "sqlite" and share < GATE]
    return int(bool(low) or results.wrong_answers(plan.databases) > 0)


if __name__ == "__main__":
    sys.exit(main())
