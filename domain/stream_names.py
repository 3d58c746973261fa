"""What streams are called: ``<kind>-<id>``."""

from __future__ import annotations

from .identifiers import plain_text


def session_stream(session_id: str) -> str:
    """The name of a session's stream."""
    return f"session-{plain_text(session_id)}"


def inbox_stream(session_id: str) -> str:
    """The name of the stream of a session's inbox."""
    return f"inbox-{plain_text(session_id)}"


def site_stream(site: str) -> str:
    """The name of a site's stream."""
    return f"site-{plain_text(site)}"


def bundle_stream(bundle_id: str) -> str:
    """The name of a bundle's stream."""
    return f"bundle-{plain_text(bundle_id)}"


def conversation_stream(conversation_id: str) -> str:
    """The name of a conversation's stream."""
    return f"conversation-{plain_text(conversation_id)}"


def consumer_stream(consumer: str) -> str:
    """The name of the stream that says what a consumer was told."""
    return f"consumer-{plain_text(consumer)}"


def saga_stream(saga_id: str) -> str:
    """The name of a saga's stream."""
    return f"saga-{plain_text(saga_id)}"


def key_stream(key: str) -> str:
    """The name of the stream of an idempotency key, for a command that appended nothing else."""
    return f"key-{plain_text(key)}"


def split_stream(stream: str) -> tuple[str, str]:
    """The kind of a stream, and whose it is."""
    kind, _, identity = plain_text(stream).partition("-")
    return kind, identity
