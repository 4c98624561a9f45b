"""What belongs to a principal itself."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, PrimaryKeyConstraint, SmallInteger, Table, Text, text

from storage.tables.base import Id, Word, metadata

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
    Column(
        "min_valid_home_seq",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="older sync tokens of the home are not valid",
    ),
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
