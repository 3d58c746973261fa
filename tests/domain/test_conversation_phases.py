"""Which phase leads to which, and what may be done in each (de-mls 1.1 to 1.3, 1.5, 6.2)."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from muniment.domain import (
    ConversationBlocked,
    ConversationConfig,
    ConversationEnded,
    ConversationExists,
    ConversationNotFound,
    CreatorVote,
    MunimentError,
    OperatingMode,
    Operation,
    Outcome,
    PartialFreeze,
    Phase,
    ProposalNotFound,
    ProposalRequest,
    conversation,
)
from muniment.domain.conversation import (
    PERMITTED,
    TRANSITIONS,
    AnchorAction,
    Candidate,
    Cause,
    ConversationOpened,
    ConversationRemoved,
    ConversationState,
    FreezeRoundOpened,
    LeaveReason,
    Life,
    MemberJoined,
    MemberLeaving,
    PhaseChanged,
    Role,
    transition,
)
from muniment.domain.conversation.draft import Draft
from muniment.journal.testing import given_conversation, types

from .conversation_facts import (
    ADD,
    AT,
    BELOW,
    BROKEN,
    CONFIG,
    CREATED,
    DEADLOCK,
    ELECTION,
    FREEZING,
    IN_PHASE,
    JOINING,
    LET_IN,
    MEMBER,
    REELECTION,
    SELECTION,
    approved,
    auto_vote,
    proposal,
    received,
    timeout,
)

# The table of de-mls 1.3 once more, as it is read there: from, trigger, to, what becomes of the anchor.
EDGES = """
pending_join  joined              working     clear
working       inactivity          freezing    set
working       candidate           freezing    set
working       urgent_removal      freezing    set
reelection    urgent_removal      freezing    set
working       deadlock            freezing    set
reelection    deadlock            freezing    set
freezing      all_candidates      selection   keep
freezing      freeze_window       selection   keep
working       commit_applied      working     clear
freezing      commit_applied      working     clear
selection     commit_applied      working     clear
reelection    commit_applied      working     clear
selection     no_commit           reelection  clear
selection     nothing_approved    working     clear
reelection    election_accepted   working     clear
reelection    emergency_resolved  working     clear
"""
TABLE = {(row.split()[0], row.split()[1]): tuple(row.split()[2:]) for row in EDGES.strip().splitlines()}


@pytest.mark.parametrize(("phase", "cause"), list(product(Phase, Cause)))
def test_a_cause_leads_where_the_table_says_or_nowhere(phase: Phase, cause: Cause) -> None:
    row = transition(phase, cause)
    assert (None if row is None else (row.phase, row.anchor)) == TABLE.get((phase, cause))


@pytest.mark.parametrize(("phase", "cause"), list(product(Phase, Cause)))
def test_a_change_says_whence_whither_why_and_what_became_of_the_anchor(phase: Phase, cause: Cause) -> None:
    state = ConversationState("c")
    for event in IN_PHASE[phase]:
        state.apply(event)
    anchor = state.situation.anchor
    draft = Draft(state, now=50_000)
    draft.change_phase(cause, window_ms=None)
    if (phase, cause) not in TABLE:
        assert draft.events == []
        return
    to, action = TABLE[phase, cause]
    now = {"set": 50_000, "clear": None, "keep": anchor}[action]
    made = PhaseChanged("c", 50_000, phase, Phase(to), cause, AnchorAction(action), now, previous_anchor=anchor)
    assert draft.events == [made]
    assert (draft.situation.phase, draft.situation.anchor) == (to, now)
    # The state that was decided on is as it was.
    assert (state.situation.phase, state.situation.anchor) == (phase, anchor)


def test_there_is_no_way_out_of_reelection_by_time() -> None:
    causes = {row.cause for row in TRANSITIONS if Phase.REELECTION in row.previous}
    assert causes == {
        Cause.URGENT_REMOVAL,
        Cause.DEADLOCK,
        Cause.COMMIT_APPLIED,
        Cause.ELECTION_ACCEPTED,
        Cause.EMERGENCY_RESOLVED,
    }
    given_conversation(*IN_PHASE[Phase.REELECTION], approved()).when(conversation.tick, 10**12).then()


@pytest.mark.parametrize(
    ("role", "phase", "anchor"), [(Role.CREATOR, Phase.WORKING, None), (Role.JOINER, Phase.PENDING_JOIN, 7)]
)
def test_scenario_9_creators_begin_working_and_joiners_pending(role: Role, phase: Phase, anchor: int | None) -> None:
    begin = given_conversation()
    opened = ConversationOpened("c", 7, 1, role, "alice", CONFIG)
    begin.when(conversation.open_conversation, role, "alice", CONFIG, 7).then(opened)
    begin.state.apply(opened)
    assert (begin.state.situation.phase, begin.state.situation.anchor) == (phase, anchor)
    assert begin.state.situation.mode is OperatingMode.NORMAL


def test_scenario_10_each_phase_is_reached_by_name() -> None:
    state = ConversationState("c")
    seen = []
    for event in (*MEMBER, FREEZING, SELECTION, REELECTION):
        state.apply(event)
        seen.append(state.situation.phase)
    assert list(dict.fromkeys(seen)) == list(Phase)
    begin = given_conversation(*IN_PHASE[Phase.REELECTION], received(request=ELECTION))
    assert begin.when(conversation.accept_election, 1, ("carol",), 40_000).accepted()[-1].outcome is Phase.WORKING


@pytest.mark.parametrize("phase", [Phase.WORKING, Phase.REELECTION])
@pytest.mark.parametrize("request_", [DEADLOCK, BELOW], ids=["deadlock", "below"])
def test_scenarios_11_and_12_an_emergency_forces_a_freeze(phase: Phase, request_: ProposalRequest) -> None:
    begin = given_conversation(*IN_PHASE[phase], received(request=request_))
    events = begin.when(conversation.resolve, 1, Outcome.YES, 50_000).accepted()
    assert events[-1].type == "conversation.phase_changed.v1"
    assert (events[-1].phase, events[-1].anchor) == (Phase.FREEZING, 50_000)  # type: ignore[attr-defined]
    # No round is opened by it; candidates open one.
    assert "freeze_round_opened" not in types(events)


@pytest.mark.parametrize("phase", [Phase.FREEZING, Phase.SELECTION])
@pytest.mark.parametrize("request_", [DEADLOCK, BELOW], ids=["deadlock", "below"])
def test_scenario_13_a_freeze_is_not_forced_twice(phase: Phase, request_: ProposalRequest) -> None:
    begin = given_conversation(*IN_PHASE[phase], received(request=request_))
    events = begin.when(conversation.resolve, 1, Outcome.YES, 50_000).accepted()
    assert "phase_changed" not in types(events)
    # T10: the deadlock is known all the same.
    assert ("operating_mode_changed" in types(events)) == (request_ is DEADLOCK)


def test_a_joiner_knows_no_proposal() -> None:
    given_conversation(JOINING).when(conversation.resolve, 1, Outcome.YES, 1).refused(ProposalNotFound)


BLOCKED, OK = "blocked", "ok"
# The table of de-mls 1.5, in the order of the phases.
PERMISSIONS = {
    Operation.SEND_CHAT: (BLOCKED, OK, BLOCKED, BLOCKED, OK),
    Operation.OPEN_COMMIT_PROPOSAL: (BLOCKED, OK, BLOCKED, BLOCKED, BLOCKED),
    Operation.OPEN_STEWARD_ELECTION: (BLOCKED, OK, BLOCKED, BLOCKED, OK),
    Operation.OPEN_EMERGENCY: (BLOCKED, OK, BLOCKED, BLOCKED, OK),
    Operation.BAN: (BLOCKED, OK, BLOCKED, BLOCKED, BLOCKED),
    Operation.VOTE: (OK, OK, BLOCKED, BLOCKED, OK),
}
CASES = [
    (operation, phase, expected)
    for operation, row in PERMISSIONS.items()
    for phase, expected in zip(Phase, row, strict=True)
]


@pytest.mark.parametrize(("operation", "phase", "expected"), CASES)
def test_what_may_be_done_in_which_phase(operation: Operation, phase: Phase, expected: str) -> None:
    asked = given_conversation(*IN_PHASE[phase]).when(conversation.check, operation)
    if expected is OK:
        asked.then()
        return
    permitted = tuple(sorted(PERMITTED[operation]))
    asked.refused(ConversationBlocked, operation=operation, phase=phase, permitted=permitted)


REQUESTS = {
    Operation.OPEN_COMMIT_PROPOSAL: ADD,
    Operation.OPEN_STEWARD_ELECTION: ELECTION,
    Operation.OPEN_EMERGENCY: BROKEN,
}


@pytest.mark.parametrize(("operation", "phase", "expected"), [case for case in CASES if case[0] in REQUESTS])
def test_opening_proposals_keeps_to_the_phases(operation: Operation, phase: Phase, expected: str) -> None:
    begin = given_conversation(*IN_PHASE[phase])
    asked = begin.when(conversation.open_proposal, 1, REQUESTS[operation], 3, CreatorVote.YES, AT[phase])
    if expected is OK:
        assert types(asked.accepted())[0] == "proposal_opened"
    else:
        asked.refused(ConversationBlocked, operation=operation, phase=phase)


@pytest.mark.parametrize("phase", list(Phase))
def test_voting_by_hand_keeps_to_the_phases(phase: Phase) -> None:
    begin = given_conversation(*IN_PHASE[phase], *([received()] if phase is not Phase.PENDING_JOIN else []))
    asked = begin.when(conversation.vote, 1, True, AT[phase])
    if phase is Phase.PENDING_JOIN:
        asked.refused_on_record(ProposalNotFound)
    elif phase in PERMITTED[Operation.VOTE]:
        assert types(asked.accepted()) == ["vote_cast"]
    else:
        asked.refused(ConversationBlocked, phase=phase)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.PENDING_JOIN])
def test_votes_that_are_due_and_timeouts_keep_to_no_phase(phase: Phase) -> None:
    begin = given_conversation(*IN_PHASE[phase], received(), auto_vote(fire_at=1), timeout(fire_at=2))
    fired = types(begin.when(conversation.tick, AT[phase] + 2).accepted())
    assert fired[:3] == ["auto_vote_fired", "vote_cast", "consensus_timeout_fired"]


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.PENDING_JOIN])
def test_a_member_may_leave_in_any_phase(phase: Phase) -> None:
    left = given_conversation(*IN_PHASE[phase]).when(conversation.leave, AT[phase]).accepted()
    assert types(left) == [
        "proposal_opened",
        "vote_cast",
        "consensus_resolved",
        "proposal_approved",
        "leave_initiated",
    ]


@pytest.mark.parametrize("request_", [ADD, ELECTION], ids=["commit", "election"])
def test_while_an_emergency_is_voted_on_only_emergencies_are_opened(request_: ProposalRequest) -> None:
    begin = given_conversation(*MEMBER, received(proposal_id=4, request=BROKEN), received(proposal_id=3, request=BELOW))
    operation = conversation.phases.operation_of(request_.kind)
    begin.when(conversation.open_proposal, 9, request_, 3, CreatorVote.YES, 1).refused(
        PartialFreeze, operation=operation, emergencies=(3, 4)
    )
    assert begin.when(conversation.open_proposal, 9, DEADLOCK, 3, CreatorVote.YES, 1).accepted()
    # A peer's is let in: its own node let it out.
    assert begin.when(conversation.receive_proposal, 9, request_, "bob", 3, None, None, 1).accepted()


def test_the_phase_is_looked_at_before_the_emergencies() -> None:
    begin = given_conversation(*MEMBER, received(request=BROKEN), FREEZING)
    begin.when(conversation.open_proposal, 9, ADD, 3, CreatorVote.YES, 100).refused(ConversationBlocked)


def test_a_joiner_is_let_in_once() -> None:
    begin = given_conversation(JOINING)
    joined = MemberJoined("c", 9, 5, frozenset({"alice", "bob"}))
    into = PhaseChanged("c", 9, Phase.PENDING_JOIN, Phase.WORKING, Cause.JOINED, AnchorAction.CLEAR, previous_anchor=0)
    assert begin.when(conversation.joined, 5, frozenset({"bob"}), 9).then(joined, into) is Phase.WORKING
    for event in (joined, into):
        begin.state.apply(event)
    begin.when(conversation.joined, 6, frozenset({"bob"}), 10).then()
    given_conversation(CREATED).when(conversation.joined, 5, frozenset(), 9).then()


def test_a_joiner_who_leaves_is_gone_at_once() -> None:
    given_conversation(JOINING).when(conversation.leave, 4).then(
        MemberLeaving("c", 4, LeaveReason.LEFT_PENDING), ConversationRemoved("c", 4, LeaveReason.LEFT_PENDING)
    )


def test_who_asked_to_leave_does_not_ask_twice() -> None:
    begin = given_conversation(*MEMBER)
    number = conversation.self_leave_id("alice")
    # The first four bytes of SHA-256 of the name.
    assert number == 0x2BD806C9
    for event in begin.when(conversation.leave, 1).accepted():
        begin.state.apply(event)
    begin.when(conversation.leave, 2).then()
    assert begin.state.approved_removal_of("alice") == number


def test_a_conversation_is_opened_once_until_it_is_removed() -> None:
    begin = given_conversation(CREATED)
    begin.when(conversation.open_conversation, Role.JOINER, "alice", CONFIG, 1).refused(ConversationExists, life="open")
    begin.state.apply(MemberLeaving("c", 1, LeaveReason.REMOVED))
    begin.when(conversation.open_conversation, Role.JOINER, "alice", CONFIG, 1).refused(
        ConversationExists, life="leaving"
    )
    begin.state.apply(ConversationRemoved("c", 2, LeaveReason.REMOVED))
    begin.when(conversation.open_conversation, Role.JOINER, "alice", CONFIG, 1).then(
        ConversationOpened("c", 2, 2, Role.JOINER, "alice", CONFIG)
    )


COMMANDS: dict[str, tuple[Any, ...]] = {
    "joined": (conversation.joined, 5, frozenset()),
    "leave": (conversation.leave,),
    "sync_config": (conversation.sync_config, 5, conversation.ConfigChanges(freeze_ms=1)),
    "install_stewards": (conversation.install_stewards, ("bob",), conversation.StewardListReason.SYNC),
    "accept_election": (conversation.accept_election, 1, ("bob",)),
    "report_failure": (conversation.report_failure, "send", "no route"),
    "open_proposal": (conversation.open_proposal, 1, ADD, 3, CreatorVote.YES),
    "receive_proposal": (conversation.receive_proposal, 1, ADD, "carol", 3, None, None),
    "vote": (conversation.vote, 1, True),
    "receive_vote": (conversation.receive_vote, 1, "bob", True),
    "resolve": (conversation.resolve, 1, Outcome.YES),
    "schedule_auto_vote": (conversation.schedule_auto_vote, 1, True, 5),
    "cancel_auto_vote": (conversation.cancel_auto_vote, 1),
    "schedule_timeout": (conversation.schedule_timeout, 1, 5),
    "cancel_timeout": (conversation.cancel_timeout, 1),
    "buffer_candidate": (conversation.buffer_candidate, Candidate("h", "bob", 1)),
    "commit_applied": (conversation.commit_applied, "h", "bob", None, ()),
    "removed_by_commit": (conversation.removed_by_commit, "h", "bob", ()),
    "no_commit_found": (conversation.no_commit_found, ()),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_done_where_there_is_no_conversation_or_it_is_over(name: str) -> None:
    command, *arguments = COMMANDS[name]
    given_conversation().when(command, *arguments, 1).refused(ConversationNotFound, conversation_id="c")
    gone = (
        (MemberLeaving("c", 1, LeaveReason.EXPIRED), Life.LEAVING),
        (ConversationRemoved("c", 1, LeaveReason.EXPIRED), Life.REMOVED),
    )
    for event, life in gone:
        given_conversation(JOINING, event).when(command, *arguments, 1).refused(
            ConversationEnded, life=life, reason=LeaveReason.EXPIRED
        )


def test_what_is_gone_is_removed_once_and_ticks_no_more() -> None:
    def refused(error: type[MunimentError], *events: object) -> None:
        given_conversation(*events).when(conversation.remove, 9).refused(error)  # type: ignore[arg-type]

    refused(ConversationNotFound)
    refused(ConversationEnded, JOINING, ConversationRemoved("c", 1, LeaveReason.EXPIRED))
    leaving = given_conversation(*MEMBER, MemberLeaving("c", 1, LeaveReason.REMOVED))
    leaving.when(conversation.remove, 9).then(ConversationRemoved("c", 9, LeaveReason.REMOVED))
    leaving.when(conversation.tick, 10**9).then()
    given_conversation().when(conversation.tick, 0).refused(ConversationNotFound)


def test_removing_ends_every_deadline_and_vote() -> None:
    begin = given_conversation(*MEMBER, received(), auto_vote(), timeout(), FreezeRoundOpened("c", 0, 5))
    events = begin.when(conversation.remove, 9).accepted()
    assert types(events) == ["auto_vote_cancelled", "consensus_timeout_cancelled", "member_leaving", "removed"]
    assert events[2] == MemberLeaving("c", 9, LeaveReason.SELF_LEAVE, (proposal(),))
    for event in events:
        begin.state.apply(event)
    assert list(begin.state.deadlines()) == []
    assert (begin.state.proposals, begin.state.situation.proposals) == ({}, 0)


def test_scenario_103_a_window_of_zero_is_over_at_once() -> None:
    config = ConversationConfig(commit_inactivity_ms=0, freeze_ms=0)
    begin = given_conversation(ConversationOpened("c", 0, 1, Role.CREATOR, "alice", config), approved(), LET_IN)
    # The first tick anchors, the second, at the same time, fires.
    for expected in (["phase_timer_anchored"], ["freeze_round_opened", "phase_changed"]):
        events = begin.when(conversation.tick, 5).accepted()
        assert types(events) == expected
        for event in events:
            begin.state.apply(event)
