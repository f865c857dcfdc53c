"""What can go wrong for someone who uses the caller from the shell, said so that they know what to do."""


class CallerError(Exception):
    """A sentence for the person at the shell; no traceback is shown for it."""
