"""Recordings after their sound is over: shown, rendered in other formats, kept elsewhere, and deleted in time."""
