"""From events to a page, from events alone: a replay outlives what it describes."""

from recordings.replay.outline import outline_of
from recordings.replay.rows import PAGE_ROWS, Rows, read_rows
from recordings.replay.step import Step
from recordings.replay.steps import steps_of

__all__ = ["PAGE_ROWS", "Rows", "Step", "outline_of", "read_rows", "steps_of"]
