"""What is asked of a mixer before somebody leaves: what the call's media did, so that the event of it can tell.

It is asked for before the event is written, and the leg is taken away after that: what cannot be written has not
happened, and then its participant must still be heard. The event does not wait for a mixer that is slow or gone.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from mixer.protocol import MOST_ASKED, LegStats
from server.conference.events import Event, ParticipantLeft
from server.conference.media import CallMedia
from server.mixers.errors import MixerGone, MixerRefused
from server.service_live import Live

log = structlog.get_logger(__name__)

FIGURES_WITHIN_S: Final = 0.3
"""How long a leave waits for figures. A mixer answers in a few milliseconds, two thousand legs take some tenths."""


async def media_of_leavers(live: Live, events: Sequence[Event]) -> dict[str, CallMedia]:
    """Return what the media of those whom events would let leave has done, by call id, of as many as is known in time.

    Of a call that never had a leg, and of one whose mixer is gone, nothing is known.
    """
    leavers = [event.call_id for event in events if isinstance(event, ParticipantLeft) and event.call_id in live.told]
    found: dict[str, CallMedia] = {}
    if not leavers or not live.mixer.alive:
        return found
    try:
        async with asyncio.timeout(FIGURES_WITHIN_S):
            for at in range(0, len(leavers), MOST_ASKED):
                legs = await live.mixer.leg_stats(leavers[at : at + MOST_ASKED])
                found |= {leg.call_id: _media(leg) for leg in legs}
    except TimeoutError:
        log.warning("figures_not_had_in_time", conference_id=live.conference_id, missing=len(leavers) - len(found))
    except (MixerGone, MixerRefused) as error:
        log.warning("figures_not_had", conference_id=live.conference_id, reason=str(error))
    return found


def _media(leg: LegStats) -> CallMedia:
    return CallMedia(
        packets_in=leg.packets_in,
        packets_out=leg.packets_out,
        lost=leg.lost,
        late=leg.late,
        duplicates=leg.duplicates,
        concealed=leg.concealed,
        jitter_ms=leg.jitter_ms,
        buffer_ms=leg.buffer_ms,
        added_delay_ms=leg.added_delay_ms,
        accelerated_ms=leg.accelerated_ms,
        stretched_ms=leg.stretched_ms,
        far_end_loss=leg.far_end_loss,
        round_trip_ms=leg.round_trip_ms,
    )
