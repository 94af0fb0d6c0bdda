"""Events as the steps that a person walks through."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from hoopweb.templatetags import words
from recordings.kinds import EventKind
from recordings.models import Event
from recordings.replay.dress import dress, undress
from recordings.replay.step import Step, Story

K = EventKind
# Shorter silences are not worth a word.
_GAP = timedelta(seconds=5)


def steps_of(events: Sequence[Event]) -> list[Step]:
    """The steps of a session, in order."""
    stories: dict[uuid.UUID, Story] = {}
    for event in events:
        if event.kind == K.STATEMENT and event.statement_id:
            stories[event.statement_id] = Story(len(stories) + 1)
    several = len(stories) > 1
    start = events[0].at if events else None
    before: datetime | None = None
    steps = []
    for event in events:
        assert start is not None
        story = stories.get(event.statement_id) if event.statement_id else None
        step = Step(
            number=event.number,
            kind=event.kind,
            title=event.kind.replace("-", " ").capitalize(),
            at=event.at,
            offset=_offset(event.at - start),
            tone="neutral",
            icon="document-text",
            data=event.data if isinstance(event.data, dict) else {},
            actor=event.actor if isinstance(event.actor, dict) else {},
            hash=event.hash,
            statement_id=event.statement_id,
            statement=story.number if story else 0,
            payloads=event.named,
        )
        silence = event.at - (before or event.at)
        if silence >= _GAP:
            # Whole seconds: a silence is felt, not measured.
            step.gap = words.duration(timedelta(seconds=round(silence.total_seconds()))).replace(
                ".0 s", " s"
            )
        before = event.at
        try:
            dress(step, story or Story(0))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            # Someone changed the event, or a later version wrote it: show what is there.
            undress(step, event.data)
        if several and story and event.kind != K.STATEMENT:
            step.title = f"{step.title} · {story.number}"
        steps.append(step)
    return steps


def _offset(since: timedelta) -> str:
    minutes, seconds = divmod(int(since.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
