"""Bundles: registering, linking (aura 2.23, 2.24), and upgrading who runs them (aura 2.30)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from muniment.domain import (
    BundleNotFound,
    ComposedBundle,
    CompositionManifest,
    DuplicateBundle,
    Footprint,
    IncompatibleInterfaces,
    InvalidArgument,
    LinkSpec,
    ManifestWithoutBundles,
    MembersNotSeeded,
    MissingSurface,
    OverlappingSessions,
    Placed,
    Placement,
    RuntimeUpgradeArtifact,
    RuntimeUpgradeRequest,
    Surfaces,
    UpgradeCompatibility,
    UpgradeExists,
    UpgradeNotPending,
    UpgradePending,
    UpgradePhase,
    UpgradePlan,
    UpgradeRejected,
    UpgradeStep,
    bundle,
    bundles_from_manifest,
    bundles_from_manifests,
)
from muniment.domain.bounds import MAX_RECORDED_REFUSALS
from muniment.domain.bundle import (
    BundleLinked,
    BundleLinkRejected,
    BundleRegistered,
    BundleState,
    MembersSeeded,
    UpgradeAdmitted,
    UpgradeCommitted,
    UpgradeFailed,
    UpgradeRolledBack,
    UpgradeStaged,
)
from muniment.journal.testing import given_bundle

CHAT = ComposedBundle("chat", ("p",), frozenset({"say"}), frozenset({"count"}))
VOTE = ComposedBundle("vote", ("q", "p"), frozenset({"count"}), frozenset({"say"}))
KNOWN = BundleRegistered(CHAT)
SEEDED = MembersSeeded("chat", frozenset({"x", "y"}), 1)


def request_to(*members: str, upgrade_id: str = "u-1", **facts: Any) -> RuntimeUpgradeRequest:
    """Ask for an upgrade to these members, in one step."""
    plan = UpgradePlan("plan", (UpgradeStep("step", frozenset(members)),))
    return replace(RuntimeUpgradeRequest(upgrade_id, plan), **facts)


def artifact(request: RuntimeUpgradeRequest, phase: UpgradePhase, **facts: Any) -> RuntimeUpgradeArtifact:
    """An upgrade of the bundle that x and y run."""
    members = request.plan.steps[-1].next_members if request.plan.steps else frozenset()
    return replace(RuntimeUpgradeArtifact("chat", request, phase, frozenset({"x", "y"}), members), **facts)


def state_of(registered: ComposedBundle) -> BundleState:
    state = BundleState(registered.bundle_id)
    state.apply(BundleRegistered(registered))
    return state


def test_a_bundle_is_registered_once() -> None:
    given_bundle().when(bundle.register, CHAT).then(KNOWN)
    given_bundle(KNOWN).when(bundle.register, CHAT).refused(DuplicateBundle, bundle_id="chat")


def test_two_bundles_that_meet_each_others_needs_are_linked() -> None:
    linked = given_bundle(bundle_id="both").when(bundle.link, state_of(CHAT), state_of(VOTE))
    made = ComposedBundle("both", ("p", "q"), frozenset({"say", "count"}), frozenset({"say", "count"}))
    assert linked.then(BundleLinked(made, "chat", "vote")) == made


def test_linking_unites_footprints() -> None:
    left = replace(CHAT, footprint=Footprint(native=frozenset({"s-1"})))
    right = replace(VOTE, footprint=Footprint(delegated_in=frozenset({"s-2"})))
    (event,) = given_bundle(bundle_id="both").when(bundle.link, state_of(left), state_of(right)).accepted()
    assert isinstance(event, BundleLinked)
    assert event.bundle.footprint == Footprint(frozenset({"s-1"}), frozenset({"s-2"}))


def test_an_import_that_neither_exports_is_refused_on_record_of_the_left_bundle() -> None:
    other = replace(VOTE, exports=frozenset())
    rejected = BundleLinkRejected("chat", "vote", "both", "incompatible_interfaces")
    given_bundle(bundle_id="both").when(bundle.link, state_of(CHAT), state_of(other)).refused_on_record(
        IncompatibleInterfaces, elsewhere=(Placed("bundle-chat", rejected),), unmet=("count",)
    )
    left = state_of(CHAT)
    left.apply(rejected)
    given_bundle(bundle_id="both").when(bundle.link, left, state_of(other)).refused_on_record(IncompatibleInterfaces)


def test_refused_links_are_recorded_up_to_their_bound_and_the_last_one_says_so() -> None:
    left, other = state_of(CHAT), replace(VOTE, exports=frozenset())
    left.refusals = MAX_RECORDED_REFUSALS - 1
    last = BundleLinkRejected("chat", "vote", "both", "incompatible_interfaces", last=True)
    link = given_bundle(bundle_id="both").when(bundle.link, left, state_of(other))
    link.refused_on_record(IncompatibleInterfaces, elsewhere=(Placed("bundle-chat", last),))
    left.apply(last)
    another = given_bundle(bundle_id="another").when(bundle.link, left, state_of(other))
    another.refused_on_record(IncompatibleInterfaces)


def test_bundles_with_a_session_in_common_are_not_linked() -> None:
    left = replace(CHAT, footprint=Footprint(native=frozenset({"s-1"})))
    right = replace(VOTE, footprint=Footprint(delegated_out=frozenset({"s-1"})))
    rejected = BundleLinkRejected("chat", "vote", "both", "overlapping_sessions")
    given_bundle(bundle_id="both").when(bundle.link, state_of(left), state_of(right)).refused_on_record(
        OverlappingSessions, elsewhere=(Placed("bundle-chat", rejected),), sessions=("s-1",)
    )


def test_linking_takes_known_bundles_and_a_new_id() -> None:
    given_bundle(bundle_id="both").when(bundle.link, state_of(CHAT), BundleState("vote")).refused(
        BundleNotFound, bundle_id="vote"
    )
    given_bundle(BundleRegistered(replace(CHAT, bundle_id="both")), bundle_id="both").when(
        bundle.link, state_of(CHAT), state_of(VOTE)
    ).refused(DuplicateBundle, bundle_id="both")


def test_a_manifests_bundles_are_put_together_from_all_parts() -> None:
    specs = (
        LinkSpec("vote", frozenset({"count"}), frozenset({"say"})),
        LinkSpec("chat", frozenset({"say"})),
        LinkSpec("vote", frozenset({"close"})),
    )
    assert bundles_from_manifest(CompositionManifest("p", specs)) == (
        ComposedBundle("chat", ("p",), frozenset({"say"})),
        ComposedBundle("vote", ("p",), frozenset({"count", "close"}), frozenset({"say"})),
    )


def test_several_manifests_share_bundles() -> None:
    manifests = [CompositionManifest(name, (LinkSpec("chat", frozenset({name})),)) for name in ("p", "q", "p")]
    assert bundles_from_manifests(manifests) == (ComposedBundle("chat", ("p", "q"), frozenset({"p", "q"})),)


def test_a_manifest_without_bundles_names_none() -> None:
    with pytest.raises(ManifestWithoutBundles):
        bundles_from_manifest(CompositionManifest("p"))


def test_members_are_seeded_and_the_epoch_goes_on() -> None:
    given_bundle(KNOWN).when(bundle.seed_members, frozenset({"x", "y"})).then(SEEDED)
    again = MembersSeeded("chat", frozenset({"z"}), 2, frozenset({"x", "y"}))
    given_bundle(KNOWN, SEEDED).when(bundle.seed_members, frozenset({"z"})).then(again)
    given_bundle(KNOWN, SEEDED).when(bundle.seed_members, frozenset({"x", "y"})).then()
    given_bundle(KNOWN).when(bundle.seed_members, frozenset()).refused(InvalidArgument, argument="members")
    given_bundle().when(bundle.seed_members, frozenset({"x"})).refused(BundleNotFound)


def test_an_upgrade_at_once_goes_through_all_phases() -> None:
    request = request_to("y", "z")
    committed = artifact(request, UpgradePhase.COMMITTED_CUTOVER)
    result = (
        given_bundle(KNOWN, SEEDED)
        .when(bundle.upgrade, request)
        .then(
            UpgradeStaged(artifact(request, UpgradePhase.STAGED)),
            UpgradeAdmitted(artifact(request, UpgradePhase.ADMITTED)),
            UpgradeCommitted(committed, 2),
        )
    )
    assert result == committed


def test_an_upgrade_step_by_step() -> None:
    request = request_to("y", "z")
    staged, admitted = artifact(request, UpgradePhase.STAGED), artifact(request, UpgradePhase.ADMITTED)
    given_bundle(KNOWN, SEEDED).when(bundle.stage, request).then(UpgradeStaged(staged))
    before = (KNOWN, SEEDED, UpgradeStaged(staged))
    given_bundle(*before).when(bundle.admit, "u-1").then(UpgradeAdmitted(admitted))
    given_bundle(*before).when(bundle.commit, "u-1").refused(UpgradeNotPending, phase="staged", needed="admitted")
    given_bundle(*before).when(bundle.stage, request_to("y", upgrade_id="u-2")).refused(
        UpgradePending, upgrade_id="u-1"
    )
    given_bundle(*before).when(bundle.seed_members, frozenset({"z"})).refused(UpgradePending)
    committed = UpgradeCommitted(artifact(request, UpgradePhase.COMMITTED_CUTOVER), 2)
    given_bundle(*before, UpgradeAdmitted(admitted)).when(bundle.commit, "u-1").then(committed)
    given_bundle(*before).when(bundle.admit, "u-2").refused(UpgradeNotPending, phase=None)
    given_bundle(*before, UpgradeAdmitted(admitted), committed).when(bundle.upgrade, request_to("z")).refused(
        UpgradeExists
    )


def test_an_upgrade_is_rolled_back_before_it_takes_effect() -> None:
    request = request_to("y", "z")
    staged = artifact(request, UpgradePhase.STAGED)
    back = replace(staged, phase=UpgradePhase.ROLLED_BACK, next_members=frozenset({"x", "y"}), reason="no time")
    for before in (
        [UpgradeStaged(staged)],
        [UpgradeStaged(staged), UpgradeAdmitted(artifact(request, UpgradePhase.ADMITTED))],
    ):
        expected = replace(back, phase=UpgradePhase.ROLLED_BACK)
        given_bundle(KNOWN, SEEDED, *before).when(bundle.roll_back, "u-1", "no time").then(UpgradeRolledBack(expected))
    given_bundle(KNOWN, SEEDED).when(bundle.roll_back, "u-1", "").refused(UpgradeNotPending)


def test_without_members_there_is_nothing_to_upgrade() -> None:
    given_bundle(KNOWN).when(bundle.upgrade, request_to("x")).refused(MembersNotSeeded)
    given_bundle().when(bundle.upgrade, request_to("x")).refused(BundleNotFound)


def compatible(**facts: Any) -> UpgradeCompatibility:
    return replace(UpgradeCompatibility(), **facts)


BROKEN = {
    "b": request_to("x", carried_publications=frozenset({"m"}), invalidated_publications=frozenset({"m"})),
    "c": request_to("x", carried_obligations=frozenset({"o"}), invalidated_obligations=frozenset({"o"})),
    "d": request_to("z"),
    "e": request_to("x", compatibility=compatible(pending_effect_treatment="invalidate_blocked")),
    "f": request_to("x", invalidated_publications=frozenset({"m"})),
    "g": RuntimeUpgradeRequest("u-1", UpgradePlan("plan", (UpgradeStep("1", frozenset({"x"})), UpgradeStep("2")))),
    "h": RuntimeUpgradeRequest(
        "u-1", UpgradePlan("plan", (UpgradeStep("1", frozenset({"x", "z"}), (Placement.local("x"),)),))
    ),
    "a": RuntimeUpgradeRequest("u-1", UpgradePlan("plan")),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_an_upgrade_that_breaks_a_rule_has_failed_on_record(rule: str) -> None:
    request = BROKEN[rule]
    refused: Any = bundle.upgrade(given_bundle(KNOWN, SEEDED).state, request)
    assert isinstance(refused.error, UpgradeRejected)
    assert refused.error.rule == rule
    staged, failed = refused.events
    assert staged == UpgradeStaged(artifact(request, UpgradePhase.STAGED))
    members = frozenset({"x", "y"})
    assert failed == UpgradeFailed(
        artifact(request, UpgradePhase.FAILED, next_members=members, reason=refused.error.reason)
    )
    given_bundle(KNOWN, SEEDED, staged).when(bundle.admit, "u-1").refused_on_record(UpgradeRejected, failed, rule=rule)
    after = given_bundle(KNOWN, SEEDED, staged, failed).state
    assert (after.members, after.epoch, after.pending) == (members, 1, None)


@pytest.mark.parametrize("rule", BROKEN)
def test_one_that_breaks_a_rule_is_staged_as_any_other_until_no_more_failures_are_recorded(rule: str) -> None:
    request = BROKEN[rule]
    (staged,) = given_bundle(KNOWN, SEEDED).when(bundle.stage, request).accepted()
    assert isinstance(staged, UpgradeStaged)
    state = given_bundle(KNOWN, SEEDED).state
    state.failures = MAX_RECORDED_REFUSALS
    for command in (bundle.stage, bundle.upgrade):
        refused: Any = command(state, request)
        assert (refused.error.rule, refused.events) == (rule, ())


def test_a_first_step_without_members_keeps_nobody() -> None:
    request = RuntimeUpgradeRequest("u-1", UpgradePlan("plan", (UpgradeStep("1"),)))
    refused: Any = bundle.upgrade(given_bundle(KNOWN, SEEDED).state, request)
    assert refused.error.rule == "d"
    free = replace(request, compatibility=compatible(ownership_continuity_required=False))
    refused = bundle.upgrade(given_bundle(KNOWN, SEEDED).state, free)
    assert (refused.error.rule, "'1'" in refused.error.reason) == ("g", True)


def test_every_step_keeps_somebody_of_the_one_before() -> None:
    steps = (UpgradeStep("1", frozenset({"y", "z"})), UpgradeStep("2", frozenset({"w"})))
    request = RuntimeUpgradeRequest("u-1", UpgradePlan("plan", steps))
    refused: Any = bundle.upgrade(given_bundle(KNOWN, SEEDED).state, request)
    assert (refused.error.rule, "'2'" in refused.error.reason) == ("d", True)
    free = replace(request, compatibility=compatible(ownership_continuity_required=False))
    assert given_bundle(KNOWN, SEEDED).when(bundle.upgrade, free).accepted()


@pytest.mark.parametrize(
    "request_",
    [
        request_to("x", "z", carried_publications=frozenset({"m"}), carried_obligations=frozenset({"o"})),
        request_to("z", compatibility=compatible(ownership_continuity_required=False)),
        request_to(
            "x",
            compatibility=compatible(pending_effect_treatment="invalidate_blocked"),
            invalidated_obligations=frozenset({"o"}),
        ),
        request_to(
            "x",
            compatibility=compatible(canonical_publication_continuity="reissue_canonical_truth"),
            invalidated_publications=frozenset({"m"}),
        ),
    ],
)
def test_an_upgrade_that_keeps_the_rules_is_committed(request_: RuntimeUpgradeRequest) -> None:
    assert len(given_bundle(KNOWN, SEEDED).when(bundle.upgrade, request_).accepted()) == 3


def test_missing_surfaces_are_named() -> None:
    Surfaces().require("bundle linking")
    with pytest.raises(MissingSurface) as caught:
        Surfaces(semantic_handoff=False).require("bundle linking")
    assert (caught.value.operation, caught.value.missing) == ("bundle linking", ("semantic_handoff",))
    with pytest.raises(MissingSurface) as caught:
        Surfaces.none().require("runtime upgrade")
    assert caught.value.missing == ("ownership_receipt", "semantic_handoff", "reconfiguration_transition")
