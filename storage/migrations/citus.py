"""The script that distributes the schema over a Citus cluster, computed from the tables."""

from __future__ import annotations

from storage.tables import DIRECTORY, TENANT, metadata

_HEAD = """\
-- Generated from storage/tables by `make docs`: do not edit.
-- Citus on PostgreSQL: run once, after the migrations, on the coordinator of a cluster whose workers are joined.
-- The schema needs nothing else: principal_id is the first column of every key of a tenant table and stands in the
-- predicate of every statement. The directory tables are small and read by every request: each node has a copy.

"""


def script() -> str:
    """The SQL text: directory tables are copied to every node, tenant tables are distributed by their principal."""
    names = [table.name for table in metadata.sorted_tables]
    names.sort(key=lambda name: name != "principals")  # the others are placed beside it
    copied = [f"SELECT create_reference_table('{name}');\n" for name in names if name in DIRECTORY]
    distributed = [f"SELECT create_distributed_table({_placed(name)});\n" for name in names if name in TENANT]
    return _HEAD + "".join(copied) + "\n" + "".join(distributed)


def _placed(name: str) -> str:
    beside = "" if name == "principals" else ", colocate_with => 'principals'"
    return f"'{name}', 'principal_id'{beside}"
