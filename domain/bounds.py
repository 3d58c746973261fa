"""Every bound on what a command takes and a stream holds. ``docs/bounds.md`` lists them, which a test compares."""

from __future__ import annotations

from typing import Final

MAX_EVENT_BYTES: Final = 2**20
"""An event as it is stored, with its metadata, in bytes: 1 MiB."""

MAX_IDENTIFIER_LENGTH: Final = 200
"""A name: a session id, an owner label, a fragment key; in characters."""

MAX_PART_LENGTH: Final = 190
"""A bundle's or protocol's id, in characters: its fragment's key, which has it in it, is a name too."""

MAX_TEXT_LENGTH: Final = 2_000
"""A free text, such as a reason, in characters."""

MAX_NUMBER: Final = 2**63 - 1
"""A position, a count, a generation, a tick: what every storage engine holds."""

MAX_NAMES: Final = 1_000
"""How many names a set has: members, exports, publications, the fragment keys of a scope."""

MAX_NAMES_BYTES: Final = 131_072
"""What the names of one set take together, in bytes of JSON."""

MAX_ROLES: Final = 65_535
"""How many roles a session has."""

MAX_PARTS: Final = 1_000
"""How many parts a whole has: a manifest's link specs, a bundle's protocols, the manifests of one command."""

MAX_UPGRADE_STEPS: Final = 1_000
"""How many steps the plan of an upgrade has."""

MAX_REQUEST_BYTES: Final = 262_144
"""The request for an upgrade, in bytes of JSON."""

MAX_LISTED: Final = 1_000
"""How many things of a kind are open in a stream at once: outstanding witnesses, held fragments, proposals."""

MAX_LISTED_BYTES: Final = 262_144
"""What those take together, in bytes of JSON: the event that ends them all lists them whole."""

MAX_PAYLOAD_BYTES: Final = 65_536
"""The payload of an ingress or an envelope, in bytes: 64 KiB."""

MAX_PAYLOAD_DEPTH: Final = 100
"""How deep lists and dictionaries of a payload are nested: well within what every reader of JSON takes."""

DEFAULT_INBOX_CAPACITY: Final = 1_024
"""How many envelopes may wait in an inbox, where the session was opened without saying so."""

MAX_INBOX_CAPACITY: Final = 10_000
"""How many envelopes may wait in an inbox at most."""

MAX_INBOX_BYTES: Final = 2**24
"""What the envelopes that wait in an inbox take together, in bytes of JSON: 16 MiB."""

MAX_ENVELOPE_METADATA: Final = 64
"""How many entries the metadata of an envelope has."""

MAX_REMEMBERED_NAMES: Final = 10_000
"""Of how many named envelopes of an incarnation the last names are remembered, to suppress duplicates."""

MAX_INCARNATIONS: Final = 65_535
"""How often a session or a conversation is opened."""

MAX_RECORDED_REFUSALS: Final = 256
"""How many refusals are recorded of a session, and of a bundle refused links and failed upgrades each (law 6)."""

MAX_WHOLE_REFUSAL_BYTES: Final = 4_096
"""What a refusal takes that records the refused artifact whole, in bytes of JSON; a larger one is recorded in brief."""

MAX_STRANGERS: Final = 256
"""How many proposals in an epoch are taken from those who are not known to be members.

As many candidates in a freeze round are taken from those who are not known to be stewards.
"""

MAX_VOTES_OF_STRANGERS: Final = 10_000
"""How many votes are taken in an epoch from those who are not known to be members: a joiner may not know who is one."""

MAX_REPORTS: Final = 256
"""How many failures a host reports of a conversation in one epoch."""

MAX_CANDIDATES: Final = 1_000
"""How many commits are offered in one freeze round."""

MAX_STEPS: Final = 10_000
"""How many functions that undo steps are given at once."""

MAX_VOTERS: Final = 10_000
"""How many may be expected to vote on one proposal."""

MAX_DURATION_MS: Final = 100 * 366 * 24 * 3_600_000
"""The longest duration, in ms: a hundred years."""

MAX_EPOCH: Final = 2**62
"""The latest epoch that a host can name."""

MAX_TYPE_SIZE: Final = 10_000
"""How many nodes a local type has, also unfolded in any state that it reaches."""

MAX_TYPE_DEPTH: Final = 200
"""How many nodes of a local type stand above one another, also unfolded: what Python and readers of it take."""

MAX_PLAN_BYTES: Final = 262_144
"""A session plan, in bytes of JSON."""

MAX_EVENT_ID_LENGTH: Final = 300
"""The id of an event, in characters."""

DEFAULT_LOCK_TIMEOUT_S: Final = 5.0
"""How long a journal waits for other writers, in seconds, where nothing else is said."""

MAX_LOCK_TIMEOUT_S: Final = 86_400
"""How long a journal waits for other writers, in seconds: a day."""

MAX_WAIT_S: Final = 86_400
"""How long one call waits for an envelope, in seconds: a day."""
