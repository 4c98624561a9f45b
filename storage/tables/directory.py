"""Tables that are asked before the principal is known. They are keyed by what is asked for."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, SmallInteger, Table

from storage.tables.base import Id, Word, metadata

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
