"""The settings: ``model`` has a row for each, ``load`` reads their values."""

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
