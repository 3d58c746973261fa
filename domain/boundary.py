"""Boundaries: which part of a session a capability is used for (aura 1.5, 2.15)."""

from __future__ import annotations

from typing import Self

from pydantic.dataclasses import dataclass

from .bundle.values import ComposedBundle, CompositionManifest
from .identifiers import Identifier, Names, identifier
from .scope import FULL_SESSION, Fragments, OwnershipScope, ScopeField, scope as checked_scope
from .value import VALUE, exact, value_type


def bundle_fragment(bundle_id: str) -> str:
    """The fragment key of a bundle (aura 1.5)."""
    return f"bundle:{bundle_id}"


def protocol_fragment(protocol_id: str) -> str:
    """The fragment key of a protocol that no bundle takes part in (aura 1.5)."""
    return f"protocol:{protocol_id}"


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class LinkBoundary:
    """The part of a session that is used, or handed over, and the scope that goes with it (aura 1.5).

    Attributes:
        bundle_id: the bundle it is the boundary of; None for none, or for several.
        protocol_ids: the protocols inside it.
        fragment_keys: the fragments inside it; none for the whole session.
        scope: the scope that whoever acts inside it holds.
    """

    bundle_id: Identifier | None = None
    protocol_ids: Names = frozenset()
    fragment_keys: Names = frozenset()
    scope: ScopeField = FULL_SESSION

    @classmethod
    def for_scope(cls, scope: OwnershipScope) -> Self:
        """The boundary of a scope.

        Raises:
            InvalidArgument: it is no scope.
        """
        scope = checked_scope(scope)
        keys = scope.keys if isinstance(scope, Fragments) else frozenset()
        return cls(fragment_keys=keys, scope=scope)

    @classmethod
    def for_protocol(cls, protocol_id: str) -> Self:
        """The boundary of a protocol: its fragment, and the scope of the whole session."""
        protocol_id = identifier("protocol_id", protocol_id)
        return cls(protocol_ids=frozenset({protocol_id}), fragment_keys=frozenset({protocol_fragment(protocol_id)}))

    @classmethod
    def for_bundle(cls, bundle: ComposedBundle) -> Self:
        """The boundary of a bundle, with its protocols.

        Raises:
            InvalidArgument: it is no bundle.
        """
        bundle = exact("bundle", bundle, ComposedBundle)
        return cls._of_bundle(bundle.bundle_id, frozenset(bundle.protocol_ids))

    @classmethod
    def for_bundle_id(cls, bundle_id: str) -> Self:
        """The boundary of a bundle of which only the id is known."""
        return cls._of_bundle(identifier("bundle_id", bundle_id), frozenset())

    @classmethod
    def from_manifest(cls, manifest: CompositionManifest) -> tuple[Self, ...]:
        """The boundaries of a manifest's bundles, by bundle id; its protocol's if it has none.

        Raises:
            InvalidArgument: it is no manifest.
        """
        manifest = exact("manifest", manifest, CompositionManifest)
        protocol_ids = frozenset({manifest.protocol_id})
        found = tuple(cls._of_bundle(bundle_id, protocol_ids) for bundle_id in manifest.bundle_ids)
        return found or (cls.for_protocol(manifest.protocol_id),)

    @classmethod
    def for_manifest(cls, manifest: CompositionManifest) -> Self:
        """The one boundary around all of a manifest."""
        parts = cls.from_manifest(manifest)
        if len(parts) == 1:
            return parts[0]
        keys = frozenset[str]().union(*(part.fragment_keys for part in parts))
        return cls(None, frozenset({manifest.protocol_id}), keys, Fragments(keys))

    @classmethod
    def _of_bundle(cls, bundle_id: str, protocol_ids: frozenset[str]) -> Self:
        keys = frozenset({bundle_fragment(bundle_id)})
        return cls(bundle_id, protocol_ids, keys, Fragments(keys))

    def is_allowed_by(self, scope: OwnershipScope) -> bool:
        """Whether a capability of this scope reaches over the boundary (aura 2.15).

        The full session reaches over every boundary. Fragments reach over a boundary that names at least one fragment,
        and only fragments that are among them.

        Raises:
            InvalidArgument: ``scope`` is no scope.
        """
        reach = checked_scope(scope)
        return reach is FULL_SESSION or (bool(self.fragment_keys) and reach.includes(Fragments(self.fragment_keys)))
