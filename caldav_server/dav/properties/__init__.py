"""PROPERTIES: every live property the server has, one row each. The table is the extension point."""

from __future__ import annotations

from caldav_server.dav.properties import caldav, principals, webdav
from caldav_server.dav.properties.table import Row

PROPERTIES: dict[str, Row] = {row.name: row for module in (webdav, principals, caldav) for row in module.ROWS}
