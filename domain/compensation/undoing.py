"""Which events undo which: what a record that claims to undo another must be (law 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import bundle, conversation, inbox, session
from ..event import Event

_OWNERS_CHANGE: Final = (
    session.OwnershipClaimed,
    session.OwnershipReleased,
    session.OwnershipTransferred,
    session.ScopeAttenuated,
    session.TransferCommitted,
    session.OwnershipRestored,
)
_FRAGMENTS_CHANGE: Final = (
    session.FragmentsClaimed,
    session.FragmentsMoved,
    session.FragmentsReleased,
    session.FragmentsRestored,
)
_MEMBERS_CHANGE: Final = (
    bundle.MembersSeeded,
    bundle.MembersRestored,
    bundle.UpgradeAdmitted,
    bundle.UpgradeCommitted,
    bundle.UpgradeRolledBack,
)

UNDONE_BY: Final[Mapping[type[Event[Any]], tuple[type[Event[Any]], ...]]] = {
    session.SessionOpened: (session.OpeningWithdrawn,),
    session.OpeningWithdrawn: (session.SessionOpened,),
    session.TransferBegun: (session.TransferRolledBack,),
    session.TransferRolledBack: (session.TransferBegun,),
    session.ReadinessWitnessIssued: (session.ReadinessWitnessWithdrawn,),
    session.ReadinessWitnessWithdrawn: (session.ReadinessWitnessIssued,),
    session.SessionHosted: (session.HostingWithdrawn,),
    session.HostingWithdrawn: (session.SessionHosted,),
    session.SessionDelegated: (session.DelegationReverted,),
    session.DelegationReverted: (session.SessionDelegated,),
    session.SessionHandedOver: (session.HandOverReverted,),
    session.HandOverReverted: (session.SessionHandedOver,),
    session.SessionDrained: (session.DrainingWithdrawn,),
    session.DrainingWithdrawn: (session.SessionDrained,),
    session.TermsChanged: (session.TermsChanged,),
    inbox.EnvelopePut: (inbox.EnvelopeWithdrawn,),
    inbox.EnvelopeWithdrawn: (inbox.EnvelopePut,),
    inbox.EnvelopeTaken: (inbox.TakingWithdrawn,),
    inbox.TakingWithdrawn: (inbox.EnvelopeTaken,),
    inbox.TypeAdvanced: (inbox.TypeRestored,),
    inbox.TypeRestored: (inbox.TypeAdvanced,),
    **dict.fromkeys((session.HandlerSet, session.HandlerRestored), (session.HandlerRestored,)),
    **dict.fromkeys((session.TraceSet, session.TraceRestored), (session.TraceRestored,)),
    bundle.BundleRegistered: (bundle.BundleWithdrawn,),
    bundle.BundleLinked: (bundle.BundleWithdrawn,),
    bundle.BundleWithdrawn: (bundle.BundleRegistered, bundle.BundleLinked),
    bundle.UpgradeStaged: (bundle.UpgradeRolledBack,),
    conversation.ConversationOpened: (conversation.ConversationWithdrawn,),
    conversation.ConversationWithdrawn: (conversation.ConversationOpened,),
    conversation.ConfigSynced: (conversation.ConfigSynced,),
    conversation.PhaseChanged: (conversation.PhaseChanged,),
    conversation.PhaseTimerAnchored: (conversation.PhaseChanged,),
    conversation.OperatingModeChanged: (conversation.OperatingModeChanged,),
    conversation.ElectionRetriesChanged: (conversation.ElectionRetriesChanged,),
    conversation.StewardListInstalled: (conversation.StewardListInstalled,),
    conversation.ScoreChanged: (conversation.ScoreChanged,),
    conversation.FreezeRoundOpened: (conversation.FreezeRoundWithdrawn,),
    conversation.FreezeRoundWithdrawn: (conversation.FreezeRoundOpened,),
    conversation.ProposalOpened: (conversation.ProposalWithdrawn,),
    conversation.ProposalReceived: (conversation.ProposalWithdrawn,),
    conversation.ProposalWithdrawn: (conversation.ProposalOpened, conversation.ProposalReceived),
    **dict.fromkeys(
        (conversation.AutoVoteScheduled, conversation.AutoVoteCancelled),
        (conversation.AutoVoteScheduled, conversation.AutoVoteCancelled),
    ),
    **dict.fromkeys(
        (conversation.ConsensusTimeoutScheduled, conversation.ConsensusTimeoutCancelled),
        (conversation.ConsensusTimeoutScheduled, conversation.ConsensusTimeoutCancelled),
    ),
    **dict.fromkeys(_OWNERS_CHANGE, (session.OwnershipRestored,)),
    **dict.fromkeys(_FRAGMENTS_CHANGE, (session.FragmentsRestored,)),
    **dict.fromkeys(_MEMBERS_CHANGE, (bundle.MembersRestored,)),
}
"""The types of the events that undo an event of each type; one that is not here is undone by none."""

ONLY_UNDOING: Final = (
    session.OpeningWithdrawn,
    session.ReadinessWitnessWithdrawn,
    session.HostingWithdrawn,
    session.DelegationReverted,
    session.HandOverReverted,
    session.OwnershipRestored,
    session.FragmentsRestored,
    session.DrainingWithdrawn,
    session.HandlerRestored,
    session.TraceRestored,
    inbox.EnvelopeWithdrawn,
    inbox.TakingWithdrawn,
    inbox.TypeRestored,
    bundle.BundleWithdrawn,
    bundle.MembersRestored,
    conversation.ConversationWithdrawn,
    conversation.FreezeRoundWithdrawn,
    conversation.ProposalWithdrawn,
)
"""The types of events that do nothing but undo."""
