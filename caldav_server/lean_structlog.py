"""structlog without rich: 4 MiB in every process, for coloured tracebacks that a server never prints.

structlog loads rich where it is installed, and the command line's progress bar needs it installed.
"""

from __future__ import annotations

import sys
from typing import Any, cast

_modules = cast("dict[str, Any]", sys.modules)
_hidden = _modules.setdefault("rich", None) is None

import structlog  # noqa: E402

if _hidden:
    del _modules["rich"]

__all__ = ["structlog"]
