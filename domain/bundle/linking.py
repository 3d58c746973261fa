"""Making bundles known, and putting two of them together (aura 2.23, 2.24)."""

from __future__ import annotations

from typing import Any

from ..artifacts import Footprint
from ..bounds import MAX_RECORDED_REFUSALS
from ..decision import decision
from ..errors import CommandRefused, DuplicateBundle, IncompatibleInterfaces, InvalidArgument, OverlappingSessions
from ..event import Accepted, Decision, Placed, Refused, accept
from ..identifiers import names
from ..stream_names import bundle_stream
from .events import BundleLinked, BundleLinkRejected, BundleRegistered
from .state import BundleState
from .values import ComposedBundle


@decision("bundle.register")
def register(state: BundleState, bundle: ComposedBundle) -> Decision[None]:
    """Make a bundle known.

    Raises:
        DuplicateBundle
    """
    _require_unknown(state)
    return accept(BundleRegistered(bundle))


@decision("bundle.register_all")
def register_all(*states_and_bundles: Any) -> Decision[None]:
    """Make several bundles known, all or none: their states, and last a tuple of the bundles.

    Raises:
        DuplicateBundle
    """
    *states, bundles = states_and_bundles
    for state in states:
        _require_unknown(state)
    placed = tuple(Placed(bundle_stream(each.bundle_id), BundleRegistered(each)) for each in bundles)
    return Accepted(None, placed=placed)


@decision("bundle.link")
def link(linked: BundleState, left: BundleState, right: BundleState) -> Decision[ComposedBundle]:
    """Put two bundles together into a new one; they stay what they are.

    Raises:
        BundleNotFound, DuplicateBundle
        InvalidArgument: together they have more names of a kind than one bundle may.
    """
    first, second = left.known(), right.known()
    if refusal := _problem_with(first, second):
        return _refuse(left, right.bundle_id, linked.bundle_id, refusal)
    _require_unknown(linked)
    return accept(BundleLinked(_composed(linked.bundle_id, first, second), left.bundle_id, right.bundle_id))


def links_as_before(event: BundleLinked, left: BundleState, right: BundleState) -> bool:
    """Whether linking the two bundles as they are now makes the bundle that it made then.

    Raises:
        BundleNotFound, IncompatibleInterfaces, OverlappingSessions: they cannot be linked any more.
    """
    first, second = left.known(), right.known()
    if refusal := _problem_with(first, second):
        raise refusal
    try:
        return _composed(event.bundle.bundle_id, first, second) == event.bundle
    except InvalidArgument:
        # Together they have more names of a kind than one bundle may.
        return False


def _composed(bundle_id: str, left: ComposedBundle, right: ComposedBundle) -> ComposedBundle:
    return ComposedBundle(
        bundle_id=bundle_id,
        protocol_ids=tuple(dict.fromkeys(left.protocol_ids + right.protocol_ids)),
        exports=names("exports", left.exports | right.exports),
        imports=names("imports", left.imports | right.imports),
        footprint=_united(left.footprint, right.footprint),
    )


def _require_unknown(state: BundleState) -> None:
    if state.bundle is not None:
        raise DuplicateBundle(state.bundle_id)


def _problem_with(left: ComposedBundle, right: ComposedBundle) -> CommandRefused | None:
    unmet = (left.imports | right.imports) - (left.exports | right.exports)
    if unmet:
        return IncompatibleInterfaces(left.bundle_id, right.bundle_id, tuple(sorted(unmet)))
    shared = left.footprint.sessions & right.footprint.sessions
    if shared:
        return OverlappingSessions(left.bundle_id, right.bundle_id, tuple(sorted(shared)))
    return None


def _united(left: Footprint, right: Footprint) -> Footprint:
    # The two have no session in common, so no class of one contradicts a class of the other.
    return Footprint(
        names("native", left.native | right.native),
        names("delegated_in", left.delegated_in | right.delegated_in),
        names("delegated_out", left.delegated_out | right.delegated_out),
    )


def _refuse(left: BundleState, right: str, linked: str, error: CommandRefused) -> Refused:
    """Refuse on the record of the left bundle, within the bounds of law 6."""
    if (right, linked, error.code) in left.refused or left.refusals >= MAX_RECORDED_REFUSALS:
        return Refused(error)
    last = left.refusals + 1 == MAX_RECORDED_REFUSALS
    rejected = BundleLinkRejected(left.bundle_id, right, linked, error.code, last)
    return Refused(error, placed=(Placed(bundle_stream(left.bundle_id), rejected),))
