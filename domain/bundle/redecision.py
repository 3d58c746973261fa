"""The decisions on bundles, made again: which command leads to an event, with the arguments that the event tells.

An upgrade in one go is staged, admitted and committed, each of which is a command of its own as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..circumstances import Circumstances, Redecision
from ..event import Decision, Event
from ..stream_names import bundle_stream
from . import events
from .linking import link, register
from .state import BundleState
from .upgrade import admit, commit, roll_back, seed_members, stage


def _linked(state: BundleState, event: events.BundleLinked, about: Circumstances) -> Decision[Any]:
    return link(state, about.state_of(bundle_stream(event.left)), about.state_of(bundle_stream(event.right)))


def _link_rejected(state: BundleState, event: events.BundleLinkRejected, about: Circumstances) -> Decision[Any]:
    return link(about.state_of(bundle_stream(event.linked)), state, about.state_of(bundle_stream(event.right)))


AGAIN: Final[Mapping[type[Event[Any]], Redecision]] = {
    events.BundleRegistered: lambda state, event, about: register(state, event.bundle),
    events.BundleLinked: _linked,
    events.BundleLinkRejected: _link_rejected,
    events.MembersSeeded: lambda state, event, about: seed_members(state, event.members),
    events.UpgradeStaged: lambda state, event, about: stage(state, event.artifact.request),
    events.UpgradeAdmitted: lambda state, event, about: admit(state, event.artifact.upgrade_id),
    events.UpgradeFailed: lambda state, event, about: admit(state, event.artifact.upgrade_id),
    events.UpgradeCommitted: lambda state, event, about: commit(state, event.artifact.upgrade_id),
    events.UpgradeRolledBack: lambda state, event, about: roll_back(
        state, event.artifact.upgrade_id, event.artifact.reason or ""
    ),
}
"""For every event type of a bundle that a command leads to: that command, decided again."""
