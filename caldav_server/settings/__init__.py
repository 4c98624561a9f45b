"""The settings: ``model`` has a row for each, ``load`` reads their values."""

from caldav_server.settings.load import Override, SettingsError, environment_name, load, render_reference
from caldav_server.settings.model import (
    AuthSettings,
    DatabaseSettings,
    JobSettings,
    LimitSettings,
    LogSettings,
    MetricsSettings,
    ProxySettings,
    RecurrenceSettings,
    RedisSettings,
    RetentionSettings,
    ServerSettings,
    Settings,
    TimeoutSettings,
    TlsSettings,
    is_base_path,
)

__all__ = [
    "AuthSettings",
    "DatabaseSettings",
    "JobSettings",
    "LimitSettings",
    "LogSettings",
    "MetricsSettings",
    "Override",
    "ProxySettings",
    "RecurrenceSettings",
    "RedisSettings",
    "RetentionSettings",
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
