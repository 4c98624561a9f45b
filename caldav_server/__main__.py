"""``python -m caldav_server`` is the ``caldav-server`` command."""

from __future__ import annotations

from caldav_server.cli import main

if __name__ == "__main__":
    main()
