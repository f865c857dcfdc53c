"""Use cases of calls: making one, hanging one up, and the sockets they need."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from server.calls.addresses import answer_ip
from server.calls.model import Call, CallState, RtpMedia
from server.calls.streams import new_stream
from server.errors import ParleyError
from server.mixers.errors import OutOfPorts, RemoteUnreachable
from server.mixers.ports import MediaSocket
from server.service_context import Context

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewCall:
    """What a request says of the call it makes."""

    project_id: str
    media: RtpMedia
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


async def create_call(context: Context, new: NewCall) -> Call:
    """Bring a call up in the lobby: it is answered and sent silence from now on. Raises `ParleyError`."""
    context.check_takes_new("calls")
    call = make_call(context, new, one_request=False)
    use_socket(call, open_socket(context, call.media, shared=False))
    try:
        await context.lobby.admit(call)
    except ParleyError:
        close_own_socket(call)
        raise
    context.calls.add(call)
    log.info("call_answered", call_id=call.call_id, project_id=call.project_id, codec=call.media.format.codec)
    return call


def make_call(context: Context, new: NewCall, *, one_request: bool) -> Call:
    """Return a call that is not up yet: no socket, no leg, unknown to the registry."""
    media_ip = answer_ip(new.media.remote, context.settings.media_ip, loopback_media=context.settings.loopback_media)
    return Call(
        call_id=context.new_id(),
        project_id=new.project_id,
        media=new.media,
        media_ip=media_ip,
        outgoing=new_stream(),
        one_request=one_request,
        created_at=context.clock.now(),
        label=new.label,
        metadata=dict(new.metadata),
        remote=new.media.remote,
    )


def open_socket(context: Context, media: RtpMedia | None, *, shared: bool) -> MediaSocket:
    """Open a media socket; raise `ParleyError` if no port is free or the far end cannot be sent to."""
    try:
        return context.ports.open(shared=shared, remote=media.remote if media else None)
    except OutOfPorts as error:
        raise ParleyError("no_media_ports", f"PARLEY_RTP_PORTS: {error}") from error
    except RemoteUnreachable as error:
        raise ParleyError(
            "far_end_refused", f"media.rtp.ip: {error}", fields=(("media.rtp.ip", str(error)),)
        ) from error


def use_socket(call: Call, media_socket: MediaSocket) -> None:
    """Let a call's packets use a socket."""
    call.media_socket = media_socket
    call.local_port = media_socket.port


def close_own_socket(call: Call) -> None:
    """Close a call's socket, unless it is a conference's."""
    if call.media_socket is not None and not call.media_socket.shared:
        call.media_socket.close()
    call.media_socket = None


def finish_call(context: Context, call: Call, reason: str) -> None:
    """End a call that has no leg any more."""
    close_own_socket(call)
    context.calls.end(call, reason, context.clock.now())
    log.info("call_ended", call_id=call.call_id, reason=reason)


@asynccontextmanager
async def holding(context: Context, call: Call) -> AsyncIterator[None]:
    """Hold everything that may move a call: its conference's name, if it is in one, then its own lock.

    Whether the call is still up is for the caller to check.
    """
    while True:
        key = (call.project_id, call.conference_name) if call.conference_name is not None else None
        if key is None:
            async with context.calls.lock(call):
                if call.conference_name is None:
                    yield
                    return
        else:
            async with context.live.locked(key), context.calls.lock(call):
                if call.conference_name == key[1]:
                    yield
                    return


async def hang_up_in_lobby(context: Context, call: Call, reason: str) -> None:
    """Hang up a call that is in no conference; its lock is held."""
    if call.state is CallState.ANSWERED:
        await context.lobby.release(call, bye=True)
        finish_call(context, call, reason)
