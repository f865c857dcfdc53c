"""What can go wrong for someone who talks to the server from the shell, said so that they know what to do."""


class CallerError(Exception):
    """A sentence for the person at the shell; no traceback is shown for it."""


class NoAnswerError(CallerError):
    """No server answered: it may be there a moment later."""


class RefusedError(CallerError):
    """The server answered with 400 and above."""

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status
