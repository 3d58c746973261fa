"""Artifacts in brief: by their session, owners, generations and numbers, with a digest of the rest (law 6)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Final

from ..artifacts import Omitted, OwnershipCapability, OwnershipReceipt, PresentedArtifact, ReadinessWitness, left_out
from ..scope import Fragments, scope_to_json
from ..value import to_json

_NO_SCOPE: Final = Fragments(())


def in_brief(artifact: PresentedArtifact) -> tuple[PresentedArtifact, Omitted]:
    """An artifact without its scope, and a witness without its predicate; and what is left out."""
    rest: dict[str, object] = {"scope": scope_to_json(artifact.scope)}
    if isinstance(artifact, ReadinessWitness):
        rest["predicate"] = artifact.predicate
        return replace(artifact, scope=_NO_SCOPE, predicate=""), left_out(rest)
    return replace(artifact, scope=_NO_SCOPE), left_out(rest)


def digest_of(presented: object, reason: str, omitted: Omitted | None) -> bytes:
    """What a refusal is told by, the same whether what was shown is recorded whole or in brief."""
    if omitted is None and isinstance(presented, OwnershipCapability | OwnershipReceipt | ReadinessWitness):
        presented, omitted = in_brief(presented)
    return hashlib.sha256(to_json([type(presented).__name__, presented, omitted, reason])).digest()
