"""A small language for decisions: given these events, when this command comes, then these events or this refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from muniment.domain import Decision, Event, MunimentError, Placed, Refused, bundle, conversation, session


class Then:
    """What a command came to."""

    def __init__(self, decide: Callable[[], Decision[Any]]) -> None:
        self._decide = decide

    def then(self, *events: Event[Any], elsewhere: tuple[Placed, ...] = ()) -> Any:
        """It is accepted, and appends exactly these events, and these to other streams; returns what it answers."""
        decision = self._decide()
        assert not isinstance(decision, Refused), f"refused: {decision.error!r}"
        assert decision.events == events
        assert decision.placed == elsewhere
        return decision.result

    def accepted(self) -> tuple[Event[Any], ...]:
        """It is accepted; returns the events that it appends."""
        decision = self._decide()
        assert not isinstance(decision, Refused), f"refused: {decision.error!r}"
        return decision.events

    def answers(self, expected: object) -> None:
        """It is accepted, and answers this."""
        decision = self._decide()
        assert not isinstance(decision, Refused), f"refused: {decision.error!r}"
        assert decision.result == expected

    def refused(self, error: type[MunimentError], **facts: object) -> None:
        """It is refused with these facts, and nothing is recorded."""
        with pytest.raises(error) as caught:
            self._decide()
        _has_facts(caught.value, facts)

    def refused_on_record(
        self, error: type[MunimentError], *events: Event[Any], elsewhere: tuple[Placed, ...] = (), **facts: object
    ) -> None:
        """It is refused with these facts, and exactly these events are recorded, and these in other streams."""
        decision = self._decide()
        assert isinstance(decision, Refused), f"accepted: {decision}"
        assert type(decision.error) is error
        assert decision.events == events
        assert decision.placed == elsewhere
        _has_facts(decision.error, facts)


class Given:
    """What happened to a session, or to whatever the state is of, before."""

    def __init__(self, *events: Event[Any], state: Any) -> None:
        self.state = state
        self.go(*events)

    def go(self, *events: Event[Any]) -> Given:
        """And then this happens."""
        for event in events:
            self.state.apply(event)
        return self

    def when(self, command: Callable[..., Decision[Any]], *arguments: Any, **settings: Any) -> Then:
        """A command comes."""
        return Then(lambda: command(self.state, *arguments, **settings))


def given(*events: Event[Any], session_id: str = "s-1") -> Given:
    """Begin a sentence."""
    return Given(*events, state=session.SessionState(session_id))


def given_bundle(*events: Event[Any], bundle_id: str = "chat") -> Given:
    """Begin a sentence about a bundle."""
    return Given(*events, state=bundle.BundleState(bundle_id))


def given_conversation(*events: Event[Any], conversation_id: str = "c") -> Given:
    """Begin a sentence about a conversation."""
    return Given(*events, state=conversation.ConversationState(conversation_id))


def types(events: Iterable[Event[Any]]) -> list[str]:
    """The types of events, in short."""
    return [event.type.partition(".")[2].rpartition(".")[0] for event in events]


def _has_facts(error: MunimentError, facts: dict[str, object]) -> None:
    assert {name: getattr(error, name) for name in facts} == facts
