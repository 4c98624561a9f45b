"""The floor: an aiohttp handler that does nothing but answer, with the bytes that the measured server answers.

Run as ``python -m conformance_tests.bench.floor PORT FILE``; the file holds the body. It uses uvloop where installed.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from aiohttp import web


def application(body: bytes) -> web.Application:
    """An application that reads each request's body and answers the same."""

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=207, body=body, content_type="application/xml", charset="utf-8")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


def main() -> None:
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    body = Path(sys.argv[2]).read_bytes()
    web.run_app(application(body), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
