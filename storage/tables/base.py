"""What every table of the schema is made with: the metadata and the column types."""

from __future__ import annotations

from sqlalchemy import LargeBinary, MetaData, Text

metadata = MetaData()

Word = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is only compared octet by octet: the C collation on PostgreSQL."""
Id = LargeBinary(16)
"""A UUIDv7 that the application made."""
