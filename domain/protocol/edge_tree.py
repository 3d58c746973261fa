"""A Merkle tree over what was queued on an edge: its root says all of it, and a proof says that one was in it.

The tree is that of RFC 6962, section 2.1, with SHA-256. Leaves and nodes are hashed with different prefixes, and a
proof is bound to the place of its leaf and to the number of leaves: what the reference's tree confuses (telltale 6),
this one tells apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..errors.input import InvalidArgument
from ..identifiers import natural_number
from ..shown import shown
from ..value import exact

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf.

    Raises:
        InvalidArgument: it is not bytes.
    """
    return hashlib.sha256(b"\x00" + exact("leaf", data, bytes)).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """As much of a tree as has to be kept to append to it.

    Attributes:
        count: how many leaves it has.
        hashes: the roots of its complete subtrees, the largest first; as many as ``count`` has ones in binary.
    """

    count: int = 0
    hashes: tuple[bytes, ...] = ()

    def appended(self, data: bytes) -> Frontier:
        """The same with one more leaf."""
        hashes, joined, left = list(self.hashes), leaf_hash(data), self.count
        while left & 1:
            joined, left = _node_hash(hashes.pop(), joined), left >> 1
        return Frontier(self.count + 1, (*hashes, joined))

    @property
    def root(self) -> bytes:
        """The root: 32 bytes."""
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = _node_hash(left, root)
        return root


@dataclass(frozen=True, slots=True)
class EdgeProof:
    """That a leaf stands in a tree.

    Attributes:
        index: the place of the leaf, from 0.
        count: how many leaves the tree has.
        path: the hashes beside the way from the leaf to the root, those nearest to the leaf first.
    """

    index: int
    count: int
    path: tuple[bytes, ...]


def _listed(leaves: object) -> Sequence[bytes]:
    """The leaves, which stand in a list or tuple: anything else may have no end."""
    if type(leaves) is not list and type(leaves) is not tuple:
        raise InvalidArgument("leaves", f"must be a list or tuple of bytes, not {shown(leaves)}")
    return leaves


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree over these leaves: 32 bytes (RFC 6962, 2.1).

    Raises:
        InvalidArgument: one of them is not bytes.
    """
    frontier = Frontier()
    for data in _listed(leaves):
        frontier = frontier.appended(data)
    return frontier.root


def proof_of(leaves: Sequence[bytes], index: int) -> EdgeProof:
    """The proof that the leaf at a place stands in the tree (RFC 6962, 2.1.1).

    Raises:
        InvalidArgument: there is no such leaf, or one of them is not bytes.
    """
    leaves = _listed(leaves)
    count = len(leaves)
    index = natural_number("index", index)
    if index >= count:
        raise InvalidArgument("index", f"must be below {count}, the number of leaves")
    path: list[bytes] = []
    begin, end = 0, count
    while end - begin > 1:
        middle = begin + (1 << (end - begin - 1).bit_length() - 1)
        if index < middle:
            path.append(tree_root(leaves[middle:end]))
            end = middle
        else:
            path.append(tree_root(leaves[begin:middle]))
            begin = middle
    return EdgeProof(index, count, tuple(reversed(path)))


def is_proven(data: bytes, proof: EdgeProof, root: bytes) -> bool:
    """Whether a leaf stands in the tree that has this root, at the place that the proof says.

    Args:
        data: the leaf.
        proof: the proof.
        root: the root: 32 bytes.

    Raises:
        InvalidArgument: the leaf or the root is not bytes.
    """
    exact("root", root, bytes)
    if type(proof) is not EdgeProof or not _is_sound(proof):
        return False
    found, place, last = leaf_hash(data), proof.index, proof.count - 1
    for beside in proof.path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = _node_hash(beside, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = _node_hash(found, beside)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def _is_sound(proof: EdgeProof) -> bool:
    if not all(hasattr(proof, name) for name in EdgeProof.__slots__):
        return False
    numbers = (proof.index, proof.count)
    if not all(type(number) is int for number in numbers) or not 0 <= proof.index < proof.count:
        return False
    path = proof.path
    return type(path) is tuple and all(
        type(each) is bytes and len(each) == hashlib.sha256().digest_size for each in path
    )
