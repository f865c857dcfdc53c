"""The API of a server in this process on a real port, for clients that block."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from server.api.app import create_app
from server.main import HttpServer
from tests.support.api import Api


@asynccontextmanager
async def served(api: Api, port: int = 0) -> AsyncIterator[str]:
    """Serve `api` on loopback; yield its URL. At the end open connections are cut, streams too."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        http = HttpServer(uvicorn.Config(create_app(api.service), log_config=None, access_log=False, lifespan="off"))
        serving = asyncio.get_running_loop().create_task(http.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            http.should_exit = http.force_exit = True
            await serving
            for connection in list(http.server_state.connections):
                connection.transport.abort()
            await asyncio.gather(*http.server_state.tasks, return_exceptions=True)
