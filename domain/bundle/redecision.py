"""The decisions on bundles, made again: which command leads to an event, with the arguments that the event tells.

An upgrade in one go is staged, admitted and committed, each of which is a command of its own as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ..circumstances import Circumstances, Redecision
from ..errors import UpgradeNotPending
from ..event import Accepted, Decision, Event
from ..stream_names import bundle_stream
from . import events
from .linking import link, register
from .state import BundleState
from .upgrade import admit, commit, roll_back, seed_members, stage
from .values import UpgradePhase, UpgradeStep


def _linked(state: BundleState, event: events.BundleLinked, about: Circumstances) -> Decision[Any]:
    return link(state, about.state_of(bundle_stream(event.left)), about.state_of(bundle_stream(event.right)))


def _link_rejected(state: BundleState, event: events.BundleLinkRejected, about: Circumstances) -> Decision[Any]:
    return link(about.state_of(bundle_stream(event.linked)), state, about.state_of(bundle_stream(event.right)))


def _staged(state: BundleState, event: events.UpgradeStaged, about: Circumstances) -> Decision[Any]:
    artifact = event.artifact
    if artifact.omitted is None:
        return stage(state, artifact.request)
    # One that failed at once, in brief: whatever else it asked for, no other upgrade was in its way.
    step = UpgradeStep("omitted", frozenset({"omitted"}))
    whole = replace(artifact.request, plan=replace(artifact.request.plan, steps=(step,)))
    decision = stage(state, whole)
    return Accepted(None, (event,)) if decision.events and artifact.phase is UpgradePhase.STAGED else decision


def _admitted(state: BundleState, event: events.UpgradeAdmitted, about: Circumstances) -> Decision[Any]:
    if state.pending is not None and state.pending.omitted is not None:
        raise UpgradeNotPending(state.bundle_id, state.pending.upgrade_id, "failed at once", UpgradePhase.STAGED)
    return admit(state, event.artifact.upgrade_id)


def _failed(state: BundleState, event: events.UpgradeFailed, about: Circumstances) -> Decision[Any]:
    pending = state.pending
    if pending is None or pending.omitted is None or not event.artifact.reason:
        return admit(state, event.artifact.upgrade_id)
    failed = replace(pending, phase=UpgradePhase.FAILED, reason=event.artifact.reason)
    return Accepted(None, (events.UpgradeFailed(failed),))


AGAIN: Final[Mapping[type[Event[Any]], Redecision]] = {
    events.BundleRegistered: lambda state, event, about: register(state, event.bundle),
    events.BundleLinked: _linked,
    events.BundleLinkRejected: _link_rejected,
    events.MembersSeeded: lambda state, event, about: seed_members(state, event.members),
    events.UpgradeStaged: _staged,
    events.UpgradeAdmitted: _admitted,
    events.UpgradeFailed: _failed,
    events.UpgradeCommitted: lambda state, event, about: commit(state, event.artifact.upgrade_id),
    events.UpgradeRolledBack: lambda state, event, about: roll_back(
        state, event.artifact.upgrade_id, event.artifact.reason or ""
    ),
}
"""For every event type of a bundle that a command leads to: that command, decided again."""
