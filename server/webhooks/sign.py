"""Signatures of a webhook request, under every scheme that its receivers may check.

Decides which headers prove that a request is ours: Standard Webhooks, Twilio's, and both of SignalWire's. All are keyed
by the one signing secret as it is; for Standard Webhooks that means its bytes, which a receiver's library takes as
`whsec_` and their base64. What is signed is the URL that is requested: without credentials and fragment. Pure.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

BODY_HASH: Final = "bodySHA256"
"""Query parameter with the hex SHA-256 of a JSON body, by which Twilio's signature of the URL covers the body."""


def body_hash(body: bytes) -> str:
    """Return what `BODY_HASH` is set to."""
    return hashlib.sha256(body).hexdigest()


def whsec(secret: str) -> str:
    """Return the secret as libraries of Standard Webhooks want it."""
    return "whsec_" + base64.b64encode(secret.encode()).decode()


class Signer:
    """Makes the headers that prove a request to be ours."""

    def __init__(self, secret: str) -> None:
        """Raise ValueError for an empty secret, which would prove nothing."""
        if not secret:
            raise ValueError("the signing secret is empty")
        self._key = secret.encode()
        self._standard = Webhook(self._key)

    def headers(
        self, event_id: str, now: float, url: str, body: bytes, form: Mapping[str, str] | None
    ) -> dict[str, str]:
        """Return the headers of a request; `url` is the one requested, `body` is empty if there is none.

        `form` are the parameters if they are in the body, None if the body is JSON, and empty for a form by GET,
        whose parameters are in the URL. `now` is Unix seconds.
        """
        at = datetime.fromtimestamp(now, UTC)
        twilio = self._base64_sha1(url, form or {})
        signed = url.encode() + body
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(at.timestamp())),
            # The library drops a zone other than UTC without converting, hence the aware time above.
            "webhook-signature": self._standard.sign(event_id, at, body.decode()),
            "X-Twilio-Signature": twilio,
            "X-SignalWire-Signature": self._hex(signed, "sha1") if form is None else twilio,
            "X-SignalWire-Sha256-Signature": self._hex(signed, "sha256"),
            "I-Twilio-Idempotency-Token": event_id,
        }

    def _base64_sha1(self, url: str, form: Mapping[str, str]) -> str:
        text = url + "".join(name + form[name] for name in sorted(form))
        return base64.b64encode(hmac.digest(self._key, text.encode(), "sha1")).decode()

    def _hex(self, data: bytes, algorithm: str) -> str:
        return hmac.digest(self._key, data, algorithm).hex()
