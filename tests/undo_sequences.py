"""Any sequence of commands with delegations, fragments, bundles and undoing among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from muniment.domain import FULL_SESSION, CommandRefused, ComposedBundle, InvalidInput, OwnershipCapability

from .command_sequences import OPS, SESSIONS, Command, Giver
from .journal.stories import MANIFEST, upgrade_to

AUTHORITIES = ("A", "B", "C")
MORE_OPS = (
    *[
        "host",
        "delegate",
        "delegate",
        "hand_over",
        "hand_over",
        "claim_fragments",
        "move_fragments",
        "release_fragments",
    ],
    *["register", "seed", "upgrade", "stage", "commit", "commit", "link"],
    *["begin_transfer", "commit_transfer", "claim", "claim"],
    *["revert"] * 12,
    *["rollback"] * 2,
)

_OPENING = [Command(op, session, 0, 0, 0, None) for session in (0, 1) for op in ("open", "host", "claim")]
_OPENING += [Command(op, 0, 0, 0, 0, None) for op in ("register", "seed")]

UNDO_COMMANDS = st.lists(
    st.builds(
        Command,
        op=st.sampled_from([*OPS, *MORE_OPS]),
        session=st.sampled_from([0, 0, 0, 1]),
        owner=st.integers(0, 2),
        scope=st.sampled_from([0, 0, 0, 2, 1]),
        pick=st.sampled_from([0, 0, 0, 1, 2, 3, 5, 8]),
        forgery=st.none(),
    ),
    min_size=5,
    max_size=40,
).map(lambda commands: [*_OPENING, *commands])
"""Any commands, after some that give most of them something to work on."""


@dataclass
class UndoGiver(Giver):
    """Gives commands to a journal, and now and then undoes what came of them."""

    upgrades: int = 0

    def give_any(self, command: Command) -> bool:
        """Give one command; return whether it was accepted."""
        try:
            if command.op in OPS:
                return self.give(_owner_of_two(command)).error is None
            self._give_more(command)
        except (CommandRefused, InvalidInput):
            return False
        return True

    def _give_more(self, command: Command) -> Any:
        journal, session_id = self.journal, SESSIONS[command.session]
        giver = self._holder(session_id) if command.pick % 2 == 0 else AUTHORITIES[command.owner]
        taker = AUTHORITIES[command.pick % 3]
        bundle_id = "chat" if command.scope else None
        match command.op:
            case "host":
                return journal.sessions.host(session_id, giver)
            case "delegate":
                if command.owner:
                    journal.sessions.release(self._capability(session_id))
                upgrade = self._upgrade(command) if bundle_id and command.pick == 0 else None
                return journal.sessions.delegate(session_id, giver, taker, bundle_id, upgrade=upgrade)
            case "hand_over":
                upgrade = self._upgrade(command) if bundle_id and command.pick == 0 else None
                held = self._capability(session_id)
                return journal.sessions.hand_over(
                    held, "carol", from_authority=giver, to_authority=taker, bundle_id=bundle_id, upgrade=upgrade
                )
            case "claim_fragments":
                return journal.sessions.claim_fragments(self._capability(session_id), MANIFEST)
            case "move_fragments":
                return journal.sessions.move_fragments(self._capability(session_id), ["bundle:chat"], "dave")
            case "release_fragments":
                return journal.sessions.release_fragments(self._capability(session_id), ["bundle:vote"])
            case "register":
                return journal.bundles.register(ComposedBundle("chat" if command.pick == 0 else "vote", ("p",)))
            case "seed":
                return journal.bundles.seed_members("chat", ["x", "y", str(command.pick)])
            case "upgrade":
                return journal.bundles.upgrade("chat", self._upgrade(command))
            case "stage":
                return journal.bundles.stage_upgrade("chat", self._upgrade(command))
            case "commit":
                pending = journal.read_state("bundle-chat", lambda state: state.pending)
                upgrade_id = "none" if pending is None else pending.upgrade_id
                if command.pick:
                    journal.bundles.admit_upgrade("chat", upgrade_id)
                return journal.bundles.commit_upgrade("chat", upgrade_id)
            case "link":
                return journal.bundles.link("chat", "vote", f"linked-{command.pick}")
            case "revert":
                return journal.revert(max(1, journal.head() - command.pick))
            case "rollback":
                return journal.rollback(self.stream_to_roll_back(command), command.pick)
        raise AssertionError(command.op)

    def stream_to_roll_back(self, command: Command) -> str:
        return f"session-{SESSIONS[command.session]}" if command.owner else "bundle-chat"

    def _holder(self, session_id: str) -> str:
        return self.journal.sessions.state(session_id).holder or "A"

    def _capability(self, session_id: str) -> OwnershipCapability:
        held = self.journal.sessions.state(session_id).capability
        return held or OwnershipCapability(session_id, "nobody", 1, FULL_SESSION)

    def _upgrade(self, command: Command) -> Any:
        self.upgrades += 1
        return upgrade_to("x" if command.owner else "z", "w", upgrade_id=f"u-{self.upgrades}")


def _owner_of_two(command: Command) -> Command:
    return Command(command.op, command.session, command.owner % 2, command.scope, command.pick, command.forgery)
