"""The events that a decision on a conversation produces, each on the state that the ones before led to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from ..errors import InvalidArgument
from ..event import Accepted, Event
from .events import PhaseChanged
from .phases import AnchorAction, Cause, transition
from .situation import Situation
from .state import ConversationState
from .values import Phase

EventT = TypeVar("EventT", bound=Event[Any])
Facts = ParamSpec("Facts")


class Draft:
    """The events of a decision so far, and a state of its own that they move on.

    Args:
        state: the state that is decided on; it stays as it is.
        now: the time that the command was given, in ms.

    Attributes:
        state: the state after the events so far.
        at: the time of the decision: that of the command, or of the last event if a clock went back (de-mls 5.1, 3).
        events: the events so far.
    """

    def __init__(self, state: ConversationState, now: int) -> None:
        self.state = state.copy()
        self.at = max(now, state.situation.at)
        self.events: list[Event[Any]] = []

    @property
    def situation(self) -> Situation:
        """Where the conversation stands after the events so far."""
        return self.state.situation

    def record(
        self, event_class: Callable[Concatenate[str, int, Facts], EventT], *args: Facts.args, **facts: Facts.kwargs
    ) -> EventT:
        """Have one more thing happen; return the event.

        Args:
            event_class: the event's class, whose first two fields are the conversation and the time.
            args: nothing; facts are told by name.
            facts: its other fields.

        Raises:
            InvalidArgument: a number is more than a journal holds, as what led to it came from elsewhere.
        """
        try:
            event = event_class(self.state.conversation_id, self.at, *args, **facts)
        except InvalidArgument as error:
            name = cast(type[Event[Any]], event_class).type
            raise InvalidArgument(error.argument, f"of {name} would be more than a journal holds") from error
        self.state.apply(event)
        self.events.append(event)
        return event

    def change_phase(self, cause: Cause, window_ms: int | None = None) -> None:
        """Change the phase as the table says; in a phase in which the cause changes nothing, nothing happens.

        Args:
            cause: what changes it.
            window_ms: the window that was over, if one was.
        """
        row = transition(self.situation.phase, cause)
        if row is not None:
            self.move_phase(row.phase, cause, row.anchor, window_ms)

    def move_phase(self, phase: Phase, cause: Cause, anchor: AnchorAction, window_ms: int | None = None) -> None:
        """Have the phase change, whether or not the table says so.

        Args:
            phase: the phase that it leads to.
            cause: what changes it.
            anchor: what becomes of the anchor.
            window_ms: the window that was over, if one was.
        """
        before = self.situation
        if before.phase is None:
            return
        anchors = {AnchorAction.SET: self.at, AnchorAction.KEEP: before.anchor}
        self.record(
            PhaseChanged,
            previous=before.phase,
            phase=phase,
            cause=cause,
            anchor_action=anchor,
            anchor=anchors.get(anchor),
            previous_anchor=before.anchor,
            window_ms=window_ms,
            approved=before.approved,
        )

    def decided(self) -> Accepted[Any]:
        """Decide for the command. What it answers is what the last event says: the new phase, if that is it."""
        return Accepted(self.events[-1].outcome if self.events else None, tuple(self.events))
