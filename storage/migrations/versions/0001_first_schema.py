"""The first schema."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.LargeBinary(16)
WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _delegates()
    _directory_addresses()
    _directory_names()
    _memberships()
    _occurrences()
    _principals()
    _server_state()
    _calendars()
    _credentials()
    _dead_properties()
    _objects()
    _versions()
    state = sa.table("server_state", sa.column("key"), sa.column("value"), sa.column("number"))
    op.bulk_insert(
        state,
        [
            {"key": "epoch", "value": secrets.token_hex(6), "number": 0},
            {"key": "accounts_version", "value": "", "number": 1},
        ],
    )
    if op.get_bind().dialect.name == "postgresql":
        _planner()


def _planner() -> None:
    """Tell PostgreSQL's planner what it cannot see: a calendar belongs to one principal, so that the principal's id
    narrows nothing further. Otherwise it multiplies the two and takes any index that begins with them for unique.
    """
    for table in ("objects", "occurrences", "versions"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN principal_id SET (n_distinct = 1)")
    for table in ("objects", "versions"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN data SET STATISTICS 0")


def _delegates() -> None:
    op.create_table(
        "delegates",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("delegate_id", ID, nullable=False),
        sa.Column("can_write", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "delegate_id", name="pk_delegates_delegate_id"),
    )
    op.create_index("ix_delegates_principal_id", "delegates", ["delegate_id", "principal_id"])


def _directory_addresses() -> None:
    op.create_table(
        "directory_addresses",
        sa.Column("address", WORD, nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_directory_addresses_address"),
        comment="case-folded mail address -> principal",
    )
    op.create_index("ix_directory_addresses_principal_id", "directory_addresses", ["principal_id"])


def _directory_names() -> None:
    op.create_table(
        "directory_names",
        sa.Column("name", WORD, nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_directory_names_name"),
        comment="login name and URL segment -> principal",
    )
    op.create_index("ix_directory_names_principal_id", "directory_names", ["principal_id"])


def _memberships() -> None:
    op.create_table(
        "memberships",
        sa.Column("group_id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("group_id", "member_id", name="pk_memberships_member_id"),
    )
    op.create_index("ix_memberships_group_id", "memberships", ["member_id", "group_id"])


def _occurrences() -> None:
    op.create_table(
        "occurrences",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column(
            "bucket", sa.SmallInteger(), nullable=False, comment="0 short, 1 long, 2 short floating, 3 long floating"
        ),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("object_id", ID, nullable=False),
        sa.Column("component", sa.SmallInteger(), nullable=False),
        sa.Column("busy", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "principal_id",
            "calendar_id",
            "bucket",
            "start_at",
            "end_at",
            "object_id",
            "component",
            "busy",
            name="pk_occurrences_busy",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_occurrences_object_id", "occurrences", ["principal_id", "calendar_id", "object_id"])


def _principals() -> None:
    op.create_table(
        "principals",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("emails", sa.Text(), nullable=False, comment="newline separated, first is preferred"),
        sa.Column("time_zone", WORD, nullable=False),
        sa.Column("is_admin", sa.SmallInteger(), nullable=False),
        sa.Column("auto_accept", WORD),
        sa.Column("home_seq", sa.BigInteger(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False, comment="case-folded display name, for search"),
        sa.Column("folded_emails", sa.Text(), nullable=False, comment="case-folded, each between newlines, for search"),
        sa.PrimaryKeyConstraint("principal_id", name="pk_principals_principal_id"),
        postgresql_with={"fillfactor": "70"},
    )


def _server_state() -> None:
    op.create_table(
        "server_state",
        sa.Column("key", WORD, nullable=False),
        sa.Column("value", WORD, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_server_state_key"),
        comment="epoch: value; accounts_version: number",
    )


def _calendars() -> None:
    op.create_table(
        "calendars",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column("name", WORD, comment="NULL: a tombstone whose name is in use again"),
        sa.Column("removed", sa.SmallInteger(), nullable=False),
        sa.Column("home_seq", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("min_valid_seq", sa.BigInteger(), nullable=False),
        sa.Column("members", sa.BigInteger(), nullable=False, comment="live objects"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="octets of their texts"),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("components", sa.SmallInteger(), nullable=False, comment="bit mask over ComponentKind"),
        sa.Column("transparent", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("display_name", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("color", sa.Text()),
        sa.Column("order", sa.Text()),
        sa.Column("time_zone", sa.Text()),
        sa.Column("time_zone_id", WORD),
        sa.PrimaryKeyConstraint("principal_id", "calendar_id", name="pk_calendars_calendar_id"),
        sa.ForeignKeyConstraint(["principal_id"], ["principals.principal_id"], name="fk_calendars_principal_id"),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_calendars_home_seq", "calendars", ["principal_id", "home_seq"])
    op.create_index("uq_calendars_name", "calendars", ["principal_id", "name"], unique=True)


def _credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("credential_id", ID, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("hash", WORD, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False, comment="JSON object of strings"),
        sa.PrimaryKeyConstraint("principal_id", "credential_id", name="pk_credentials_credential_id"),
        sa.ForeignKeyConstraint(["principal_id"], ["principals.principal_id"], name="fk_credentials_principal_id"),
    )


def _dead_properties() -> None:
    op.create_table(
        "dead_properties",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("resource_id", ID, nullable=False, comment="of the principal, calendar or object that carries it"),
        sa.Column("name", WORD, nullable=False),
        sa.Column("xml", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "resource_id", "name", name="pk_dead_properties_name"),
        sa.ForeignKeyConstraint(["principal_id"], ["principals.principal_id"], name="fk_dead_properties_principal_id"),
    )


def _objects() -> None:
    op.create_table(
        "objects",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column("object_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("etag", WORD, comment="NULL: a tombstone"),
        sa.Column("deleted", sa.SmallInteger(), nullable=False),
        sa.Column("component", sa.SmallInteger(), nullable=False),
        sa.Column("uid", WORD, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("schedule_tag", WORD),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("first_start", sa.BigInteger(), nullable=False),
        sa.Column("last_end", sa.BigInteger(), nullable=False),
        sa.Column("indexed_until", sa.BigInteger(), nullable=False),
        sa.Column("recurring", sa.SmallInteger(), nullable=False),
        sa.Column("count_until", sa.BigInteger()),
        sa.Column("index_version", sa.Integer(), nullable=False),
        sa.Column("zones", WORD, nullable=False, comment="IANA names, newline separated"),
        sa.Column("data", sa.LargeBinary(), comment="the client's own bytes; last, because long rows spill"),
        sa.PrimaryKeyConstraint("principal_id", "calendar_id", "object_id", name="pk_objects_object_id"),
        sa.ForeignKeyConstraint(
            ["principal_id", "calendar_id"],
            ["calendars.principal_id", "calendars.calendar_id"],
            name="fk_objects_calendar_id",
        ),
    )
    op.create_index(
        "ix_objects_indexed_until",
        "objects",
        ["principal_id", "calendar_id", "indexed_until"],
        sqlite_where=sa.text("indexed_until < 9007199254740992"),
        postgresql_where=sa.text("indexed_until < 9007199254740992"),
    )
    op.create_index(
        "ix_objects_seq", "objects", ["principal_id", "calendar_id", "seq", "name", "etag", "deleted", "component"]
    )
    op.create_index("uq_objects_name", "objects", ["principal_id", "calendar_id", "name"], unique=True)
    op.create_index(
        "uq_objects_uid",
        "objects",
        ["principal_id", "calendar_id", "uid"],
        unique=True,
        sqlite_where=sa.text("deleted = 0"),
        postgresql_where=sa.text("deleted = 0"),
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column("object_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="the number this text had while it was current"),
        sa.Column("name", WORD, nullable=False),
        sa.Column("uid", WORD, nullable=False),
        sa.Column("etag", WORD, nullable=False),
        sa.Column("replaced_at", sa.BigInteger(), nullable=False),
        sa.Column("action", WORD, nullable=False, comment="what replaced it: update, remove, move"),
        sa.Column("author_id", ID),
        sa.Column("request_id", WORD, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "calendar_id", "object_id", "seq", name="pk_versions_seq"),
        sa.ForeignKeyConstraint(
            ["principal_id", "calendar_id"],
            ["calendars.principal_id", "calendars.calendar_id"],
            name="fk_versions_calendar_id",
        ),
    )
