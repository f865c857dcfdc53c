"""What every route needs: the service, and the project that is asking."""

from typing import Annotated, cast

from fastapi import Depends, Request

from server.service import Service


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


def _project(request: Request) -> str:
    return cast(str, request.state.project_id)


ServiceOf = Annotated[Service, Depends(_service)]
Project = Annotated[str, Depends(_project)]
