"""Every projection that a journal keeps."""

from __future__ import annotations

from .bundles import BundlesProjection
from .conversations import ConversationsProjection
from .delegations import DelegationsProjection
from .footprints import FootprintsProjection
from .idempotency import IdempotencyProjection
from .inboxes import InboxProjection
from .owners import OwnersProjection
from .projection import Projection
from .protocols import ProtocolsProjection
from .sagas import SagasProjection
from .sessions import SessionsProjection
from .sites import SitesProjection
from .timeline import TimelineProjection
from .witnesses import WitnessesProjection


def all_projections() -> tuple[Projection, ...]:
    """A new set of every projection. Some remember where they stand, so a set is for one projector."""
    return (
        OwnersProjection(),
        SessionsProjection(),
        InboxProjection(),
        ProtocolsProjection(),
        WitnessesProjection(),
        FootprintsProjection(),
        DelegationsProjection(),
        SitesProjection(),
        BundlesProjection(),
        SagasProjection(),
        ConversationsProjection(),
        TimelineProjection(),
        IdempotencyProjection(),
    )
