"""The schema: one text for SQLite, PostgreSQL and Citus on PostgreSQL.

Rules of this module:

- ``principal_id`` (the owner of the home; rooms are principals too) is the first column of every primary key, unique
  key, foreign key and index of a tenant table. Tables in ``DIRECTORY`` are the named exceptions: they find a principal.
- Ids are UUIDv7 made by the application; times are epoch seconds given by the caller; no triggers, no defaults that
  the server computes, no sequences.
- Flags are 0 or 1 in a small integer, so that partial indexes read the same everywhere.
- Keys are named ``<pk|uq|fk|ix>_<table>_<last column>``: ``storage.database`` names the key of a ``Duplicate`` by it.
- Text that is only ever compared octet by octet is of type ``Word``: the C collation on PostgreSQL.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from protocol.model import FOREVER

metadata = MetaData()

Word = Text().with_variant(Text(collation="C"), "postgresql")
Id = LargeBinary(16)

# --- directory: how a principal is found; keyed by what is asked for -------------------------------------------------

directory_names = Table(
    "directory_names",
    metadata,
    Column("name", Word, nullable=False),
    Column("principal_id", Id, nullable=False),
    PrimaryKeyConstraint("name", name="pk_directory_names_name"),
    Index("ix_directory_names_principal_id", "principal_id"),
    comment="login name and URL segment -> principal",
)
directory_addresses = Table(
    "directory_addresses",
    metadata,
    Column("address", Word, nullable=False),
    Column("principal_id", Id, nullable=False),
    PrimaryKeyConstraint("address", name="pk_directory_addresses_address"),
    Index("ix_directory_addresses_principal_id", "principal_id"),
    comment="case-folded mail address -> principal",
)
memberships = Table(
    "memberships",
    metadata,
    Column("group_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    PrimaryKeyConstraint("group_id", "member_id", name="pk_memberships_member_id"),
    Index("ix_memberships_group_id", "member_id", "group_id"),
)
delegates = Table(
    "delegates",
    metadata,
    Column("principal_id", Id, nullable=False),
    Column("delegate_id", Id, nullable=False),
    Column("can_write", SmallInteger, nullable=False),
    PrimaryKeyConstraint("principal_id", "delegate_id", name="pk_delegates_delegate_id"),
    Index("ix_delegates_principal_id", "delegate_id", "principal_id"),
)
server_state = Table(
    "server_state",
    metadata,
    Column("key", Word, nullable=False),
    Column("value", Word, nullable=False),
    Column("number", BigInteger, nullable=False),
    PrimaryKeyConstraint("key", name="pk_server_state_key"),
    comment="epoch: value; accounts_version: number",
)

# --- tenant tables ---------------------------------------------------------------------------------------------------

principals = Table(
    "principals",
    metadata,
    Column("principal_id", Id, nullable=False),
    Column("kind", Word, nullable=False),
    Column("name", Word, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("emails", Text, nullable=False, comment="newline separated, first is preferred"),
    Column("time_zone", Word, nullable=False),
    Column("is_admin", SmallInteger, nullable=False),
    Column("auto_accept", Word),
    Column("home_seq", BigInteger, nullable=False),
    Column("folded_name", Text, nullable=False, comment="case-folded display name, for search"),
    Column("folded_emails", Text, nullable=False, comment="case-folded, each between newlines, for search"),
    PrimaryKeyConstraint("principal_id", name="pk_principals_principal_id"),
    postgresql_with={"fillfactor": "70"},
)
credentials = Table(
    "credentials",
    metadata,
    Column("principal_id", Id, nullable=False),
    Column("credential_id", Id, nullable=False),
    Column("kind", Word, nullable=False),
    Column("label", Text, nullable=False),
    Column("hash", Word, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("extra", Text, nullable=False, comment="JSON object of strings"),
    PrimaryKeyConstraint("principal_id", "credential_id", name="pk_credentials_credential_id"),
    ForeignKeyConstraint(["principal_id"], ["principals.principal_id"], name="fk_credentials_principal_id"),
)
calendars = Table(
    "calendars",
    metadata,
    Column("principal_id", Id, nullable=False),
    Column("calendar_id", Id, nullable=False),
    Column("name", Word, comment="NULL: a tombstone whose name is in use again"),
    Column("removed", SmallInteger, nullable=False),
    Column("home_seq", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("min_valid_seq", BigInteger, nullable=False),
    Column("members", BigInteger, nullable=False, comment="live objects"),
    Column("size", BigInteger, nullable=False, comment="octets of their texts"),
    Column("kind", Word, nullable=False),
    Column("components", SmallInteger, nullable=False, comment="bit mask over ComponentKind"),
    Column("transparent", SmallInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("display_name", Text),
    Column("description", Text),
    Column("color", Text),
    Column("order", Text),
    Column("time_zone", Text),
    Column("time_zone_id", Word),
    PrimaryKeyConstraint("principal_id", "calendar_id", name="pk_calendars_calendar_id"),
    ForeignKeyConstraint(["principal_id"], ["principals.principal_id"], name="fk_calendars_principal_id"),
    Index("uq_calendars_name", "principal_id", "name", unique=True),
    Index("ix_calendars_home_seq", "principal_id", "home_seq"),
    postgresql_with={"fillfactor": "70"},
)
_LISTED = ("principal_id", "calendar_id", "seq", "name", "etag", "component", "deleted")

objects = Table(
    "objects",
    metadata,
    Column("principal_id", Id, nullable=False),
    Column("calendar_id", Id, nullable=False),
    Column("object_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("name", Word, nullable=False),
    Column("etag", Word, comment="NULL: a tombstone"),
    Column("deleted", SmallInteger, nullable=False),
    Column("component", SmallInteger, nullable=False),
    Column("uid", Word, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("schedule_tag", Word),
    Column("created_at", BigInteger, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    Column("first_start", BigInteger, nullable=False),
    Column("last_end", BigInteger, nullable=False),
    Column("indexed_until", BigInteger, nullable=False),
    Column("recurring", SmallInteger, nullable=False),
    Column("count_until", BigInteger),
    Column("index_version", Integer, nullable=False),
    Column("zones", Word, nullable=False, comment="IANA names, newline separated"),
    Column("data", LargeBinary, comment="the client's own bytes; last, because long rows spill"),
    PrimaryKeyConstraint("principal_id", "calendar_id", "object_id", name="pk_objects_object_id"),
    ForeignKeyConstraint(
        ["principal_id", "calendar_id"],
        ["calendars.principal_id", "calendars.calendar_id"],
        name="fk_objects_calendar_id",
    ),
    Index("uq_objects_name", "principal_id", "calendar_id", "name", unique=True),
    Index(
        "uq_objects_uid",
        "principal_id",
        "calendar_id",
        "uid",
        unique=True,
        sqlite_where=text("deleted = 0"),
        postgresql_where=text("deleted = 0"),
    ),
    # Serve sync-collection and every listing of ETags without touching a wide row; tombstones lie apart. SQLite looks
    # at ``deleted`` in every row although the index is partial.
    Index("ix_objects_live", *_LISTED, sqlite_where=text("deleted = 0"), postgresql_where=text("deleted = 0")),
    Index("ix_objects_dead", *_LISTED, sqlite_where=text("deleted = 1"), postgresql_where=text("deleted = 1")),
    Index(
        "ix_objects_indexed_until",
        "principal_id",
        "calendar_id",
        "indexed_until",
        sqlite_where=text(f"indexed_until < {FOREVER}"),
        postgresql_where=text(f"indexed_until < {FOREVER}"),
    ),
)
occurrences = Table(
    "occurrences",
    metadata,
    Column("principal_id", Id, nullable=False),
    Column("calendar_id", Id, nullable=False),
    Column("bucket", SmallInteger, nullable=False, comment="0 short, 1 long, 2 short floating, 3 long floating"),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("object_id", Id, nullable=False),
    Column("component", SmallInteger, nullable=False),
    Column("busy", SmallInteger, nullable=False),
    PrimaryKeyConstraint(
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
    Index("ix_occurrences_object_id", "principal_id", "calendar_id", "object_id"),
    sqlite_with_rowid=False,
)
versions = Table(
    "versions",
    metadata,
    Column("principal_id", Id, nullable=False),
    Column("calendar_id", Id, nullable=False),
    Column("object_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False, comment="the number this text had while it was current"),
    Column("name", Word, nullable=False),
    Column("uid", Word, nullable=False),
    Column("etag", Word, nullable=False),
    Column("replaced_at", BigInteger, nullable=False),
    Column("action", Word, nullable=False, comment="what replaced it: update, remove, move"),
    Column("author_id", Id),
    Column("request_id", Word, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("principal_id", "calendar_id", "object_id", "seq", name="pk_versions_seq"),
    ForeignKeyConstraint(
        ["principal_id", "calendar_id"],
        ["calendars.principal_id", "calendars.calendar_id"],
        name="fk_versions_calendar_id",
    ),
)
dead_properties = Table(
    "dead_properties",
    metadata,
    Column("principal_id", Id, nullable=False),
    Column("resource_id", Id, nullable=False, comment="of the principal, calendar or object that carries it"),
    Column("name", Word, nullable=False),
    Column("xml", Text, nullable=False),
    PrimaryKeyConstraint("principal_id", "resource_id", "name", name="pk_dead_properties_name"),
    ForeignKeyConstraint(["principal_id"], ["principals.principal_id"], name="fk_dead_properties_principal_id"),
)

DIRECTORY = frozenset({"directory_names", "directory_addresses", "memberships", "delegates", "server_state"})
"""Tables that are asked before the principal is known; everything else is a tenant table."""

TENANT = frozenset(metadata.tables) - DIRECTORY
