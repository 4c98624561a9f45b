"""Prints the text of ``config/caldav-server.toml`` (``python -m caldav_server.settings``)."""

from __future__ import annotations

import sys

from caldav_server.settings import render_reference

if __name__ == "__main__":
    sys.stdout.write(render_reference())
