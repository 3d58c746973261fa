"""A small language for decisions: given these events, when this command comes, then these events or this refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from ...domain import Decision, Event, MunimentError, Placed, Refused, bundle, conversation, session


class Then:
    """The outcome of a command. Each method asserts one, and fails the test that is running.

    Args:
        decide: gives the command.
    """

    def __init__(self, decide: Callable[[], Decision[Any]]) -> None:
        self._decide = decide

    def then(self, *events: Event[Any], elsewhere: tuple[Placed, ...] = ()) -> Any:
        """Assert that it is accepted, and appends exactly these events.

        Args:
            events: what goes to the command's own stream.
            elsewhere: what goes to other streams.

        Returns:
            What the command answers.
        """
        decision = self._decide()
        assert not isinstance(decision, Refused), f"refused: {decision.error!r}"
        assert decision.events == events
        assert decision.placed == elsewhere
        return decision.result

    def accepted(self) -> tuple[Event[Any], ...]:
        """Assert that it is accepted; return the events that it appends."""
        decision = self._decide()
        assert not isinstance(decision, Refused), f"refused: {decision.error!r}"
        return decision.events

    def answers(self, expected: object) -> None:
        """Assert that it is accepted, and answers this."""
        decision = self._decide()
        assert not isinstance(decision, Refused), f"refused: {decision.error!r}"
        assert decision.result == expected

    def refused(self, error: type[MunimentError], **facts: object) -> None:
        """Assert that it is refused with an error that has these attributes, and that nothing is recorded."""
        with pytest.raises(error) as caught:
            self._decide()
        _has_facts(caught.value, facts)

    def refused_on_record(
        self, error: type[MunimentError], *events: Event[Any], elsewhere: tuple[Placed, ...] = (), **facts: object
    ) -> None:
        """Assert that it is refused on the record, with exactly these events.

        Args:
            error: the error's class.
            events: what is recorded in the command's own stream.
            elsewhere: what is recorded in other streams.
            facts: attributes of the error.
        """
        decision = self._decide()
        assert isinstance(decision, Refused), f"accepted: {decision}"
        assert type(decision.error) is error
        assert decision.events == events
        assert decision.placed == elsewhere
        _has_facts(decision.error, facts)


class Given:
    """What happened before.

    Args:
        events: what happened.
        state: folds them.
    """

    def __init__(self, *events: Event[Any], state: Any) -> None:
        self.state = state
        self.go(*events)

    def go(self, *events: Event[Any]) -> Given:
        """Let more happen; return this."""
        for event in events:
            self.state.apply(event)
        return self

    def when(self, command: Callable[..., Decision[Any]], *arguments: Any, **settings: Any) -> Then:
        """Give a command: a decision's function, which is called with the state and these arguments."""
        return Then(lambda: command(self.state, *arguments, **settings))


def given(*events: Event[Any], session_id: str = "s-1") -> Given:
    """Say what happened to a session."""
    return Given(*events, state=session.SessionState(session_id))


def given_bundle(*events: Event[Any], bundle_id: str = "chat") -> Given:
    """Say what happened to a bundle."""
    return Given(*events, state=bundle.BundleState(bundle_id))


def given_conversation(*events: Event[Any], conversation_id: str = "c") -> Given:
    """Say what happened to a conversation."""
    return Given(*events, state=conversation.ConversationState(conversation_id))


def types(events: Iterable[Event[Any]]) -> list[str]:
    """The types of events, without their stream's kind and their version."""
    return [event.type.partition(".")[2].rpartition(".")[0] for event in events]


def _has_facts(error: MunimentError, facts: dict[str, object]) -> None:
    assert {name: getattr(error, name) for name in facts} == facts
