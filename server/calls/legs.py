"""Putting a call into a mixer and taking it out again, with its socket and its outgoing stream.

The caller holds the call's lock. Which mixer, and what the leg may hear, is decided elsewhere.
"""

from mixer.protocol import LegPart, LegRemoved
from server.calls.model import Call
from server.calls.streams import carried_on
from server.conference.directives import LegDirective
from server.mixers.errors import MixerGone, MixerRefused
from server.mixers.handle import MixerHandle

SILENT = LegDirective(heard=False, hears=False, gain=1.0)
"""A call that is in no conference: sent silence, heard by nobody."""

NS = 1_000_000_000


def part(call_id: str, directive: LegDirective) -> LegPart:
    """Say to the mixer how a leg takes part."""
    return LegPart(call_id, directive.heard, directive.hears, directive.gain, _heard_by(directive))


def _heard_by(directive: LegDirective) -> list[str] | None:
    return None if directive.heard_by is None else sorted(directive.heard_by)


async def add(
    mixer: MixerHandle, call: Call, directive: LegDirective, *, media_timeout_s: float, monotonic: float
) -> None:
    """Give a call a leg; an own socket is lent first, a shared one is there already.

    Raises `MixerRefused` or `MixerGone`, the call's socket being the server's alone again.
    """
    media_socket = call.media_socket
    assert media_socket is not None, "a call without a socket has ended"
    if not media_socket.shared:
        await mixer.lend_socket(media_socket)
    try:
        await mixer.add_leg(
            call_id=call.call_id,
            socket_id=media_socket.socket_id,
            remote=call.remote,
            format=call.media.format,
            outgoing=call.outgoing,
            receives=call.media.receives,
            sends=call.media.sends,
            heard=directive.heard,
            hears=directive.hears,
            gain=directive.gain,
            heard_by=_heard_by(directive),
            level_extension_id=call.media.level_extension_id,
            playout=call.playout,
            ssrc=call.media.ssrc,
            # Who only listens may be silent for ever (no RTCP is demanded of it either).
            media_timeout_ms=round(media_timeout_s * 1000) if call.media.receives else 0,
        )
    except MixerRefused:
        if not media_socket.shared:
            await mixer.return_socket(media_socket.socket_id)
        raise
    call.outgoing_known_at_ns = round(monotonic * NS)


async def take(mixer: MixerHandle | None, call: Call, *, bye: bool, monotonic: float) -> None:
    """Take a call's leg out of its mixer; with `bye` the far end is told that the call is over.

    Never fails: of a mixer that is gone, the call's stream is carried on by estimate.
    """
    removed: LegRemoved | None = None
    if mixer is not None and mixer.alive:
        try:
            removed = await mixer.remove_leg(call.call_id, bye=bye)
            if call.media_socket is not None and not call.media_socket.shared:
                await mixer.return_socket(call.media_socket.socket_id)
        except (MixerGone, MixerRefused):
            pass
    now_ns = round(monotonic * NS)
    if removed is None:
        call.outgoing = carried_on(call.outgoing, call.outgoing_known_at_ns, now_ns)
    else:
        call.outgoing = removed.outgoing
        call.remote = removed.remote or call.remote
    call.outgoing_known_at_ns = now_ns
