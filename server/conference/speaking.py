"""The rules of speech: whose speech is reported, and when it is over.

Only speech that can reach somebody counts: a muted, held, waiting participant does not speak, whatever the mixer
makes of its sound. When a speaker ceases to be heard, its speech stops first, so that starts and stops alternate.
"""

from server.conference.commands import Speech
from server.conference.directives import leg
from server.conference.events import Event, ParticipantSpeechStarted, ParticipantSpeechStopped
from server.conference.model import Conference, Participant


def speech(conference: Conference, participant: Participant, report: Speech, now: float) -> list[Event]:
    """Return what a mixer's report means; nothing if it is known, or of one who is not heard."""
    if not report.speaking:
        return fall_silent(participant, now)
    if participant.speaking or not leg(conference, participant).heard:
        return []
    return [ParticipantSpeechStarted(at=now, call_id=participant.call_id)]


def fall_silent(participant: Participant, now: float) -> list[Event]:
    """Return the end of what a participant says, if it is speaking."""
    return [ParticipantSpeechStopped(at=now, call_id=participant.call_id)] if participant.speaking else []
