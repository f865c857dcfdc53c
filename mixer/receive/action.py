"""The words in which `playout` tells the tables of legs what to do; how it sounds is decided there."""

from enum import IntEnum


class Action(IntEnum):
    """What a leg does in one tick."""

    IDLE = 0
    """Nothing has come yet."""
    EXPAND = 1
    """The position stays; the tick is made up."""
    PLAY = 2
    ACCELERATE = 3
    """Play, and drop something if it is not heard."""
    STRETCH = 4
    """Play, and add something if it is not heard."""
