"""The commands on conversations, their proposals and votes: arguments are checked, and each is one decision."""

from __future__ import annotations

from collections.abc import Iterable

from ...domain import (
    ConversationConfig,
    InvalidArgument,
    Operation,
    Phase,
    RejectedCandidate,
    conversation,
)
from ...domain.bounds import MAX_CANDIDATES, MAX_EPOCH, MAX_LISTED_BYTES
from ...domain.conversation import Candidate, ConfigChanges, Role, StewardListReason, require_synchronisable
from ...domain.identifiers import identifier, names, natural_number, text
from ...domain.value import require_size, several
from .base import checked
from .proposal_commands import ProposalCommands, distinct_stewards


class ConversationCommands(ProposalCommands):
    """Puts on record what happens in conversations, and decides what follows.

    These commands take ``now``, answer, and raise as those of ``ProposalCommands`` do.
    """

    def create(
        self, conversation_id: str, self_id: str, config: ConversationConfig | None = None, *, now: int | None = None
    ) -> None:
        """Create a conversation, in which work can begin (de-mls 1.3, T1).

        One that was removed gets a new incarnation.

        Args:
            conversation_id: the conversation.
            self_id: who this member is.
            config: what its deadlines follow from.
            now: the time, in ms.

        Raises:
            ConversationExists: it is open, or not removed yet.
            LimitReached: it was opened 65 535 times.
        """
        return self._open(conversation_id, Role.CREATOR, self_id, config, now)

    def join(
        self, conversation_id: str, self_id: str, config: ConversationConfig | None = None, *, now: int | None = None
    ) -> None:
        """Ask to be let into a conversation; see ``create`` (de-mls 1.3, T2)."""
        return self._open(conversation_id, Role.JOINER, self_id, config, now)

    def joined(
        self, conversation_id: str, epoch: int, members: Iterable[str] = (), *, now: int | None = None
    ) -> Phase | None:
        """Record that the group let this member in, at an epoch; ignored if it is in already (de-mls 1.3, T3)."""
        return self._run(
            conversation.joined,
            conversation_id,
            now,
            natural_number("epoch", epoch, most=MAX_EPOCH),
            names("members", members),
        )

    def leave(self, conversation_id: str, *, now: int | None = None) -> int | None:
        """Ask the group to let this member go; who is not let in yet goes at once (de-mls 1.3, T5; 4.2).

        Returns:
            The number of the proposal to send, which follows from this member's name, and which other proposals must
            not have; None if there is none to send, or it was sent before.
        """
        return self._run(conversation.leave, conversation_id, now)

    def remove(self, conversation_id: str, *, now: int | None = None) -> None:
        """Take the conversation from this member's registry; nothing of it is due any more."""
        return self._run(conversation.remove, conversation_id, now)

    def check(
        self, conversation_id: str, operation: Operation, *, proposal_id: int | None = None, now: int | None = None
    ) -> None:
        """Ask whether an operation is permitted now; append nothing. It raises what the command would raise.

        Args:
            conversation_id: the conversation.
            operation: what may be wanted, such as sending a chat message.
            proposal_id: the proposal to vote on, or the number to open one under. Without it, all is asked that does
                not depend on the number; of a vote, that is the phase.
            now: the time, in ms.

        Raises:
            ConversationBlocked: the phase does not permit it (de-mls 1.5).
            PartialFreeze, ProposalExists, LimitReached: no such proposal can be opened.
            ProposalNotFound, ProposalNotActive, ProposalExpired, AlreadyVoted: it cannot be voted on.
        """
        wanted = checked(operation, Operation, "operation")
        number = None if proposal_id is None else natural_number("proposal_id", proposal_id)
        return self._run(conversation.check, conversation_id, now, wanted, number)

    def install_stewards(
        self,
        conversation_id: str,
        stewards: Iterable[str],
        reason: StewardListReason = StewardListReason.BOOTSTRAP,
        *,
        now: int | None = None,
    ) -> None:
        """Say who may commit, without an election (de-mls 4.5)."""
        why = checked(reason, StewardListReason, "reason")
        if why is StewardListReason.ELECTION:
            raise InvalidArgument("reason", "must not be election: accept_election records that")
        return self._run(conversation.install_stewards, conversation_id, now, distinct_stewards(stewards), why)

    def sync_config(self, conversation_id: str, changes: ConfigChanges, *, epoch: int, now: int | None = None) -> None:
        """Adopt the group's configuration. Phase deadlines that run move with it (de-mls 2.2, 4.8).

        Unchanged settings append nothing, nor does what comes before this member is let in, once a list of stewards is
        installed, or of an epoch above the current one (de-mls 1.5).

        Args:
            conversation_id: the conversation.
            changes: what is set.
            epoch: the epoch that the settings are of.
            now: the time, in ms; by default the journal's clock tells it.

        Raises:
            InvalidArgument: a time is zero; nothing of it is taken.
        """
        require_synchronisable(checked(changes, ConfigChanges, "changes"))
        return self._run(
            conversation.sync_config, conversation_id, now, natural_number("epoch", epoch, most=MAX_EPOCH), changes
        )

    def buffer_candidate(
        self,
        conversation_id: str,
        commit_hash: str,
        steward: str,
        *,
        proposals: int,
        is_local: bool = False,
        now: int | None = None,
    ) -> Phase | None:
        """Receive a commit that a member offers. It freezes a conversation that works (de-mls 4.6).

        When there are as many as there are stewards, whoever offered them, the next tick begins the selection.

        Args:
            conversation_id: the conversation.
            commit_hash: what it is told by; one that was taken or merged before is ignored.
            steward: who offers it.
            proposals: how many proposals it holds.
            is_local: whether this member offers it.
            now: the time, in ms.

        Raises:
            LimitReached: 1 000 were offered in this round, or 256 by those who are not known to be stewards.
        """
        candidate = Candidate(
            identifier("commit_hash", commit_hash),
            identifier("steward", steward),
            natural_number("proposals", proposals),
            checked(is_local, bool, "is_local"),
        )
        return self._run(conversation.buffer_candidate, conversation_id, now, candidate)

    def commit_applied(
        self,
        conversation_id: str,
        commit_hash: str,
        committer: str,
        *,
        members: Iterable[str] | None = None,
        rejected: Iterable[RejectedCandidate] = (),
        now: int | None = None,
    ) -> Phase | None:
        """Record that the host merged a commit, and that this member is still in the group (de-mls 1.3, T12, T18).

        In a freeze round the committer's score rises, and that of the steward whose turn it was falls (de-mls 4.6).

        Args:
            conversation_id: the conversation.
            commit_hash: what it is told by; one that was merged before is ignored.
            committer: who made it.
            members: who is in the group now; by default as the requests that took effect say.
            rejected: the candidates that could not be merged; heard of an open round only.
            now: the time, in ms.
        """
        return self._run(
            conversation.commit_applied,
            conversation_id,
            now,
            identifier("commit_hash", commit_hash),
            identifier("committer", committer),
            None if members is None else names("members", members),
            _rejected(rejected),
        )

    def removed_by_commit(
        self,
        conversation_id: str,
        commit_hash: str,
        committer: str,
        *,
        rejected: Iterable[RejectedCandidate] = (),
        now: int | None = None,
    ) -> None:
        """Record that the host merged a commit that removed this member; call ``remove`` next (de-mls 1.3, T13)."""
        return self._run(
            conversation.removed_by_commit,
            conversation_id,
            now,
            identifier("commit_hash", commit_hash),
            identifier("committer", committer),
            _rejected(rejected),
        )

    def no_commit_found(
        self, conversation_id: str, *, rejected: Iterable[RejectedCandidate] = (), now: int | None = None
    ) -> Phase | None:
        """Record that the host could merge no candidate; ignored outside of selection (de-mls 1.3, T14, T15)."""
        return self._run(conversation.no_commit_found, conversation_id, now, _rejected(rejected))

    def report_failure(self, conversation_id: str, operation: str, message: str, *, now: int | None = None) -> None:
        """Put on record that the host could not do something that it should have (de-mls 3.1).

        The same failure is recorded once until something else happens (law 6).

        Raises:
            LimitReached: 256 were reported in this epoch.
        """
        return self._run(
            conversation.report_failure,
            conversation_id,
            now,
            identifier("operation", operation),
            text("message", message),
        )

    def tell(self, conversation_id: str, kind: str, message: str, *, now: int | None = None) -> None:
        """Tell the consumers of ``notifications`` something of the host's own, in order with the rest (de-mls 3.1).

        It comes out as a notification of the kind ``HOST``, whose event has ``kind`` and ``message``.

        Args:
            conversation_id: the conversation.
            kind: what it is, in the host's own word: a name, such as ``app_message``.
            message: what there is to say of it; at most 2 000 characters.
            now: the time, in ms.

        Raises:
            InvalidIdentifier, InvalidArgument: the kind is no name, the message too long or no text.
        """
        return self._run(conversation.tell, conversation_id, now, identifier("kind", kind), text("message", message))

    def enter(self, conversation_id: str, phase: Phase, *, now: int | None = None) -> Phase | None:
        """Move the conversation into a phase by hand, for a host that drives the phases by itself (de-mls 1.2).

        ``muniment.domain.conversation.MOVES`` is the table of what is legal. Only the phase and its anchor change:
        working and reelection have none, a freeze counts from now, and a selection keeps that of the freeze. Votes,
        their deadlines, scores, the freeze round and what is approved stay. From then on, ticks go on as ever.

        Returns:
            The phase; None if it is working already, and no window runs.

        Raises:
            IllegalMove: no rule leads there from the present phase.
        """
        return self._run(conversation.enter, conversation_id, now, checked(phase, Phase, "phase"))

    def _open(
        self, conversation_id: str, role: Role, self_id: str, config: ConversationConfig | None, now: int | None
    ) -> None:
        who = identifier("self_id", self_id)
        given = ConversationConfig() if config is None else checked(config, ConversationConfig, "config")
        return self._run(conversation.open_conversation, conversation_id, now, role, who, given)


def _rejected(rejected: Iterable[RejectedCandidate]) -> tuple[RejectedCandidate, ...]:
    found = tuple(
        checked(each, RejectedCandidate, "rejected") for each in several("rejected", rejected, MAX_CANDIDATES)
    )
    require_size("rejected", found, MAX_LISTED_BYTES)
    return found
