"""Any sequence of commands on conversations, with any times, drawn by hypothesis and given to a real journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from muniment.domain import (
    CommandRefused,
    ConfigChanges,
    ConversationConfig,
    CreatorVote,
    Phase,
    ProposalRequest,
    RejectedCandidate,
    RejectionReason,
    Violation,
)
from muniment.journal import Journal

MEMBERS = ("alice", "bob", "carol")
CONFIG = ConversationConfig(
    commit_inactivity_ms=60,
    freeze_ms=30,
    recovery_inactivity_ms=5,
    proposal_expiration_ms=1_000,
    consensus_timeout_ms=30,
    voting_delay_ms=10,
    election_voting_delay_ms=5,
)
REQUESTS = (
    ProposalRequest.add_member("dave"),
    ProposalRequest.remove_member("bob"),
    ProposalRequest.remove_member("carol"),
    ProposalRequest.steward_election(),
    ProposalRequest.emergency(Violation.DEADLOCK),
    ProposalRequest.emergency(Violation.SCORE_BELOW_THRESHOLD, "bob"),
    ProposalRequest.emergency(Violation.CENSORSHIP, "carol"),
)
SWITCHES = (
    "peers_time_out",
    "auto_votes_keep_phases",
    "failed_votes_keep_auto_votes",
    "only_approved_emergencies_end_reelection",
)
OPS = (
    *["tick"] * 10,
    *["open_proposal"] * 4,
    *["receive_proposal"] * 5,
    *["vote"] * 3,
    *["receive_vote"] * 5,
    *["approve"] * 5,
    *["reject"] * 2,
    "accept_election",
    "schedule_auto_vote",
    "cancel_auto_vote",
    "schedule_timeout",
    "cancel_timeout",
    *["buffer_candidate"] * 6,
    *["commit_applied"] * 2,
    *["no_commit_found"] * 2,
    "removed_by_commit",
    "sync_config",
    "install_stewards",
    "report_failure",
    *["enter"] * 4,
    "tell",
    "leave",
    "remove",
    "join",
    "joined",
    "create",
)


@dataclass(frozen=True)
class Command:
    """What is asked for, how long after the last, and numbers that say of what."""

    op: str
    passed: int
    number: int
    pick: int
    flag: bool


COMMANDS = st.lists(
    st.builds(
        Command,
        op=st.sampled_from(OPS),
        # Mostly a little later; sometimes much, and sometimes the clock goes back.
        passed=st.sampled_from([0, 0, 0, 1, 4, 5, 9, 10, 29, 30, 59, 60, 61, 400, -7]),
        number=st.integers(1, 4),
        pick=st.integers(0, 6),
        flag=st.booleans(),
    ),
    min_size=20,
    max_size=60,
)


def begin(journal: Journal, switches: int) -> None:
    """Alice is let into a group with bob and carol, its stewards."""
    on: dict[str, Any] = {name: bool(switches >> number & 1) for number, name in enumerate(SWITCHES)}
    values = {name: getattr(CONFIG, name) for name in CONFIG.__dataclass_fields__} | on
    journal.conversations.join("c", "alice", ConversationConfig(**values), now=0)
    journal.conversations.joined("c", 5, MEMBERS, now=0)
    journal.conversations.install_stewards("c", ["bob", "carol"], now=0)


def _proposal(journal: Journal, command: Command) -> int:
    """The number of a proposal: mostly a new one to open, one of the last to vote on; sometimes neither."""
    known = sorted(journal.proposals.of_conversation("c"))
    if command.number == 4 or not known:
        return command.number
    is_new = command.op in ("open_proposal", "receive_proposal")
    return known[-1] + 1 if is_new else known[max(-len(known), -command.number)]


def give(journal: Journal, command: Command, now: int) -> CommandRefused | None:
    """Give a command at a time; return what refused it."""
    conversations, pick = journal.conversations, command.pick
    number = _proposal(journal, command)
    who, request = MEMBERS[pick % 3], REQUESTS[pick]
    voters = MEMBERS[pick % 3 :] if command.number == 2 else 1 + pick % 4
    # Mostly what a commit carries out says who is left; at times the host does, with alice among them or without her.
    members = {(3, True): MEMBERS, (3, False): MEMBERS[pick % 2 :]}.get((command.number, command.flag))
    calls: dict[str, Callable[[], Any]] = {
        "tick": lambda: conversations.tick(now, "c"),
        "open_proposal": lambda: conversations.open_proposal(
            "c",
            number,
            request,
            voters=voters,
            creator_vote=CreatorVote.YES if command.flag else CreatorVote.DEFERRED,
            now=now,
        ),
        "receive_proposal": lambda: conversations.receive_proposal(
            "c", number, request, creator=who, voters=voters, vote=command.flag or None, now=now
        ),
        "vote": lambda: conversations.vote("c", number, command.flag, now=now),
        "receive_vote": lambda: conversations.receive_vote("c", number, who, command.flag, now=now),
        "approve": lambda: conversations.approve("c", number, now=now),
        "reject": lambda: conversations.reject("c", number, failed=command.flag, now=now),
        "accept_election": lambda: conversations.accept_election("c", number, [who], now=now),
        "schedule_auto_vote": lambda: conversations.schedule_auto_vote(
            "c", number, command.flag, delay_ms=pick, now=now
        ),
        "cancel_auto_vote": lambda: conversations.cancel_auto_vote("c", number, now=now),
        "schedule_timeout": lambda: conversations.schedule_timeout("c", number, delay_ms=pick, now=now),
        "cancel_timeout": lambda: conversations.cancel_timeout("c", number, now=now),
        "buffer_candidate": lambda: conversations.buffer_candidate(
            "c", f"h-{pick}", who, proposals=1, is_local=command.flag, now=now
        ),
        "commit_applied": lambda: conversations.commit_applied("c", f"h-{pick}", who, members=members, now=now),
        "no_commit_found": lambda: conversations.no_commit_found(
            "c", rejected=[RejectedCandidate("h-1", who, RejectionReason.UNSTAGEABLE)] * command.flag, now=now
        ),
        "removed_by_commit": lambda: conversations.removed_by_commit("c", f"h-{pick}", who, now=now),
        "sync_config": lambda: conversations.sync_config(
            "c", ConfigChanges(commit_inactivity_ms=10 * number, freeze_ms=5 + pick), epoch=pick, now=now
        ),
        "install_stewards": lambda: conversations.install_stewards("c", [who], now=now),
        "report_failure": lambda: conversations.report_failure("c", "send", "no route", now=now),
        "enter": lambda: conversations.enter("c", list(Phase)[pick % 5], now=now),
        "tell": lambda: conversations.tell("c", "app", "hello", now=now),
        "leave": lambda: conversations.leave("c", now=now),
        "remove": lambda: conversations.remove("c", now=now),
        "join": lambda: conversations.join("c", "alice", CONFIG, now=now),
        "joined": lambda: conversations.joined("c", pick, MEMBERS, now=now),
        "create": lambda: conversations.create("c", "alice", CONFIG, now=now),
    }
    try:
        calls[command.op]()
    except CommandRefused as error:
        return error
    return None
