from email.utils import parsedate_to_datetime

import pytest

from server.webhooks.forms import fields, parameters, rfc2822, sid
from server.webhooks.model import DeliveryKind
from tests.server.webhooks.examples import (
    AT,
    CALL_ID,
    COACH_ID,
    CONFERENCE_ID,
    EVENT_ID,
    PARTICIPANT,
    RECORDING,
    RECORDING_ID,
    delivery,
    event,
)

ALWAYS = {
    "AccountSid": "dev",
    "ApiVersion": "2010-04-01",
    "ConferenceSid": "CF7d7e0e5c8f0a4b4b8a550b7a43a5c1aa",
    "FriendlyName": "standup",
    "EventId": EVENT_ID,
    "SequenceNumber": "3",
    "Timestamp": "Sun, 22 Nov 2026 17:45:00 +0000",
}
CALL_SID = "CA0c2f6d1e4a554bb8a7f15d4bb7a5a001"
OF_A_PARTICIPANT = {
    "CallSid": CALL_SID,
    "CallStatus": "in-progress",
    "Muted": "false",
    "Hold": "true",
    "Coaching": "false",
    "EndConferenceOnExit": "false",
    "StartConferenceOnEnter": "true",
}


def of(status: str) -> dict[str, str]:
    return {**ALWAYS, "StatusCallbackEvent": status, "EventName": status}


def test_sids_are_a_prefix_and_the_digits_of_the_uuid() -> None:
    assert sid("CF", CONFERENCE_ID) == "CF7d7e0e5c8f0a4b4b8a550b7a43a5c1aa"
    assert len(sid("CA", CALL_ID)) == 34


def test_timestamps_are_what_mail_uses() -> None:
    assert parsedate_to_datetime(rfc2822(AT)).timestamp() == int(AT)


def test_start_names_no_participant() -> None:
    started = event("conference-start", call_id=CALL_ID, participant_call_id=CALL_ID)
    assert parameters(delivery(started)) == of("conference-start")


def test_join() -> None:
    joined = event("participant-join", **PARTICIPANT, label="anna")
    assert parameters(delivery(joined)) == of("participant-join") | OF_A_PARTICIPANT | {"ParticipantLabel": "anna"}


def test_a_coach_says_whom() -> None:
    modified = event("participant-modify", **PARTICIPANT | {"coaching": True, "coach": COACH_ID})
    found = parameters(delivery(modified))
    assert (found["Coaching"], found["CallSidToCoach"]) == ("true", sid("CA", COACH_ID))


@pytest.mark.parametrize(
    ("reason", "call_status"),
    [
        ("participant_hung_up", "completed"),
        ("participant_updated_via_api", "in-progress"),
        ("participant_add_failed", "failed"),
        ("moderator_ended_conference", "completed"),
        ("conference_ended_via_api", "completed"),
        ("media_timeout", "completed"),
        ("server_restarted", "failed"),
        ("mixer_died", "failed"),
    ],
)
def test_leave_says_why_and_what_became_of_the_call(reason: str, call_status: str) -> None:
    left = event("participant-leave", **PARTICIPANT, reason_left=reason)
    assert parameters(delivery(left)) == of("participant-leave") | OF_A_PARTICIPANT | {
        "CallStatus": call_status,
        "ParticipantCallStatus": call_status,
        "ReasonParticipantLeft": reason,
    }


def test_end_by_a_participant() -> None:
    reason = "participant-with-end-conference-on-exit-left"
    ended = event(
        "conference-end",
        reason_ended=reason,
        participant_call_id=CALL_ID,
        call_id=CALL_ID,
        call_id_ending_conf=CALL_ID,
        label_ending_conf="anna",
        recording_url="https://parley.example/v1/recordings/9d7e0e5c",
        recording_duration=12.6,
        recording_file_size=1000,
    )
    assert parameters(delivery(ended)) == of("conference-end") | {
        "ReasonConferenceEnded": reason,
        "Reason": "participant with end conference on exit left",
        "CallSidEndingConference": CALL_SID,
        "ParticipantLabelEndingConference": "anna",
        "RecordingUrl": "https://parley.example/v1/recordings/9d7e0e5c",
        "RecordingFileSize": "1000",
        "Duration": "13",
    }


def test_end_by_nobody_names_nobody() -> None:
    ended = event("conference-end", reason_ended="conference-ended-via-api", participant_call_id=None)
    assert parameters(delivery(ended)) == of("conference-end") | {
        "ReasonConferenceEnded": "conference-ended-via-api",
        "Reason": "conference ended via api",
    }


def test_announcement_to_all_and_to_one() -> None:
    url = "https://example.org/closing.wav"
    to_all = event("announcement-end", announcement_id="a", announce_url=url, participant_call_id=None)
    assert parameters(delivery(to_all)) == of("announcement-end") | {"AnnounceUrl": url}
    to_one = event("announcement-fail", announce_url=url, reason_announcement_failed="fetch_failed", **PARTICIPANT)
    assert parameters(delivery(to_one)) == of("announcement-fail") | OF_A_PARTICIPANT | {
        "AnnounceUrl": url,
        "ReasonAnnouncementFailed": "fetch_failed",
    }


def test_digits() -> None:
    pressed = event("participant-dtmf", **PARTICIPANT, digit="#", duration_ms=120)
    assert parameters(delivery(pressed)) == of("participant-dtmf") | OF_A_PARTICIPANT | {"Digits": "#"}


def test_recording_completed() -> None:
    done = event(
        "record-stop",
        **RECORDING | {"recording_status": "completed", "recording_duration": 61.4, "recording_file_size": 1964844},
    )
    assert parameters(delivery(done, kind=DeliveryKind.RECORDING)) == of("record-stop") | {
        "RecordingSid": sid("RE", RECORDING_ID),
        "RecordingStatus": "completed",
        "RecordingUrl": "https://parley.example/v1/recordings/9d7e0e5c",
        "RecordingDuration": "61",
        "RecordingFileSize": "1964844",
        "RecordingChannels": "1",
        "RecordingStartTime": "Sun, 22 Nov 2026 17:45:00 +0000",
        "RecordingSource": "Conference",
    }


def test_recording_absent_has_no_url_and_lasts_nothing() -> None:
    absent = event(
        "record-stop",
        recording_id=RECORDING_ID,
        recording_status="absent",
        recording_duration=0.0,
        recording_start_time=None,
    )
    found = parameters(delivery(absent, kind=DeliveryKind.RECORDING))
    assert (found["RecordingStatus"], found["RecordingDuration"]) == ("absent", "0")
    assert not {"RecordingUrl", "RecordingStartTime"} & found.keys()


def test_recording_recovered_and_failed_say_so() -> None:
    recovered = parameters(
        delivery(event("record-stop", **RECORDING, recovered=True, lost_ms=480), kind=DeliveryKind.RECORDING)
    )
    assert (recovered["Recovered"], recovered["LostMs"]) == ("true", "480")
    failed = parameters(delivery(event("record-stop", **RECORDING, reason="disk_full"), kind=DeliveryKind.RECORDING))
    assert failed["Reason"] == "disk_full"


def test_gap() -> None:
    assert parameters(delivery(gap=True))["Gap"] == "true"
    assert "Gap" not in parameters(delivery())
    assert fields(delivery(gap=True))["gap"] == "true"
    assert "gap" not in fields(delivery())


def test_fields_are_those_of_the_event_and_its_params() -> None:
    found = fields(delivery(event("participant-join", **PARTICIPANT, extra={"not": "flat"}, none=None)))
    assert found == {
        "id": EVENT_ID,
        "sequence": "3",
        "event_type": "calling.conference",
        "event_channel": f"conference:{CONFERENCE_ID}",
        "timestamp": str(AT),
        "project_id": "dev",
        "space_id": "parley",
        "size": "1",
        "conference_id": CONFERENCE_ID,
        "name": "standup",
        "status": "participant-join",
        "call_id": CALL_ID,
        "participant_call_id": CALL_ID,
        "muted": "false",
        "hold": "true",
        "coaching": "false",
        "start_on_join": "true",
        "end_on_leave": "false",
    }


def test_a_status_callback_is_told_of_a_recording_by_its_old_name() -> None:
    done = event(
        "record-stop",
        **RECORDING | {"recording_status": "completed", "recording_duration": 61.4, "recording_file_size": 1964844},
    )
    assert parameters(delivery(done, kind=DeliveryKind.STATUS)) == of("conference-record-end") | {
        "RecordingUrl": RECORDING["recording_url"],
        "RecordingFileSize": "1964844",
        "Duration": "61",
    }
