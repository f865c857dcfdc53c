"""What can go wrong between the server and its mixers. How a client is told is the service's business."""


class MixerGone(Exception):  # noqa: N818
    """The mixer has died, hangs, or was stopped: whatever it was asked is not going to happen."""


class LaunchFailed(MixerGone):
    """A mixer could not be started; none is left behind."""


class MixerRefused(Exception):  # noqa: N818
    """The mixer carried out nothing of the command, and says why in `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OutOfPorts(Exception):  # noqa: N818
    """Every media port of the range is taken, or the process may open no more descriptors."""


class RemoteUnreachable(Exception):  # noqa: N818
    """This host has no way to send to the address of the far end."""
