"""Every setting there is: its name, its default, its sentence and what it may be.

The tables are in ``model``; ``load`` reads them from the defaults, a TOML file, the environment and the command line.
"""

from caldav_server.settings.load import Override, SettingsError, environment_name, load, render_reference
from caldav_server.settings.model import (
    AuthSettings,
    DatabaseSettings,
    LimitSettings,
    LogSettings,
    MetricsSettings,
    ProxySettings,
    RecurrenceSettings,
    RedisSettings,
    ServerSettings,
    Settings,
    TimeoutSettings,
    TlsSettings,
    is_base_path,
)

__all__ = [
    "AuthSettings",
    "DatabaseSettings",
    "LimitSettings",
    "LogSettings",
    "MetricsSettings",
    "Override",
    "ProxySettings",
    "RecurrenceSettings",
    "RedisSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "TimeoutSettings",
    "TlsSettings",
    "environment_name",
    "is_base_path",
    "load",
    "render_reference",
]
