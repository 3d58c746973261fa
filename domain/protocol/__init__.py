"""Protocols: what each role does in a session, which way messages go, and what proves that one went there."""

from ..step import Direction, TypeStep
from .advance import TypeAdvance
from .automaton import Automaton, unfold
from .edge_tree import EdgeProof, Frontier, is_proven, leaf_hash, proof_of, tree_root
from .edges import DEFAULT_HANDLER, Edge, decode_edge
from .local_types import Branch, End, LocalType, Mu, Recv, Send, Var
from .plan import PlannedEdge, PlannedType, SessionPlan

__all__ = [
    "Automaton",
    "Branch",
    "DEFAULT_HANDLER",
    "Direction",
    "Edge",
    "EdgeProof",
    "End",
    "Frontier",
    "LocalType",
    "Mu",
    "PlannedEdge",
    "PlannedType",
    "Recv",
    "Send",
    "SessionPlan",
    "TypeAdvance",
    "TypeStep",
    "Var",
    "decode_edge",
    "is_proven",
    "leaf_hash",
    "proof_of",
    "tree_root",
    "unfold",
]
