"""``journal.sessions`` of an ``AsyncJournal``: the same commands, awaited."""

from __future__ import annotations

from ...domain import Policy, Surfaces
from .awaited import AsyncCommands, Awaits, awaited, read_in_a_thread
from .base import Checks
from .sessions import Sessions


class AsyncSessions(AsyncCommands):
    """The commands of ``Sessions``, each with the same arguments, answers and errors, to be awaited."""

    def __init__(self, journal: Awaits, blocking: Sessions, policy: Policy, surfaces: Surfaces) -> None:
        super().__init__(journal, Sessions(Checks(), policy, surfaces), blocking)

    open = awaited(Sessions.open)
    claim = awaited(Sessions.claim)
    release = awaited(Sessions.release)
    transfer = awaited(Sessions.transfer)
    begin_transfer = awaited(Sessions.begin_transfer)
    commit_transfer = awaited(Sessions.commit_transfer)
    rollback_transfer = awaited(Sessions.rollback_transfer)
    abandon_transfer = awaited(Sessions.abandon_transfer)
    fail_transfer_commit = awaited(Sessions.fail_transfer_commit)
    attenuate = awaited(Sessions.attenuate)
    check = awaited(Sessions.check)
    issue_witness = awaited(Sessions.issue_witness)
    consume_witness = awaited(Sessions.consume_witness)
    owner_died = awaited(Sessions.owner_died)
    close = awaited(Sessions.close)
    host = awaited(Sessions.host)
    delegate = awaited(Sessions.delegate)
    hand_over = awaited(Sessions.hand_over)
    claim_fragments = awaited(Sessions.claim_fragments)
    move_fragments = awaited(Sessions.move_fragments)
    release_fragments = awaited(Sessions.release_fragments)
    check_boundary = awaited(Sessions.check_boundary)
    state = read_in_a_thread(Sessions.state)
