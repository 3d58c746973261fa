"""The tree over what was queued on an edge: the vectors of Certificate Transparency, and what proves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given, strategies as st
from muniment.domain import InvalidArgument
from muniment.domain.protocol import EdgeProof, Frontier, is_proven, leaf_hash, proof_of, tree_root

LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""By the number of leaves: as the reference of Certificate Transparency tests them."""

PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
"""By the place of the leaf and the number of leaves."""

MANY = [bytes([number]) * number for number in range(40)]


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def middle_of(count: int) -> int:
    """The largest power of two below the count."""
    return max(1 << power for power in range(count.bit_length()) if 1 << power < count)


def root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written there."""
    if len(leaves) <= 1:
        return sha(b"\0", *leaves) if leaves else sha()
    middle = middle_of(len(leaves))
    return sha(b"\1", root(leaves[:middle]), root(leaves[middle:]))


def path(place: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """RFC 6962, 2.1.1, as it is written there."""
    if len(leaves) == 1:
        return ()
    middle = middle_of(len(leaves))
    if place < middle:
        return (*path(place, leaves[:middle]), root(leaves[middle:]))
    return (*path(place - middle, leaves[middle:]), root(leaves[:middle]))


@pytest.mark.parametrize("count", range(len(ROOTS)))
def test_the_roots_are_those_of_certificate_transparency(count: int) -> None:
    assert tree_root(LEAVES[:count]).hex() == ROOTS[count]


@pytest.mark.parametrize(("index", "count"), PATHS)
def test_the_proofs_are_those_of_certificate_transparency(index: int, count: int) -> None:
    proof = proof_of(LEAVES[:count], index)
    assert [each.hex() for each in proof.path] == PATHS[index, count]
    assert is_proven(LEAVES[index], proof, bytes.fromhex(ROOTS[count]))


@pytest.mark.parametrize("count", range(1, 41))
def test_trees_and_proofs_are_as_the_rfc_defines_them(count: int) -> None:
    leaves = MANY[:count]
    assert tree_root(leaves) == root(leaves)
    for index, data in enumerate(leaves):
        proof = proof_of(leaves, index)
        assert proof == EdgeProof(index, count, path(index, leaves))
        assert is_proven(data, proof, root(leaves))


def test_a_frontier_keeps_one_hash_for_each_one_in_the_count() -> None:
    frontier = Frontier()
    for count, data in enumerate(MANY, 1):
        before, frontier = frontier, frontier.appended(data)
        assert (before.count, before.root) == (count - 1, root(MANY[: count - 1]))
        assert (frontier.count, frontier.root) == (count, root(MANY[:count]))
        assert len(frontier.hashes) == count.bit_count()
    assert Frontier(frontier.count, frontier.hashes) == frontier


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 13])
def test_a_proof_is_of_one_leaf_at_one_place_in_one_tree(count: int) -> None:
    leaves, top = MANY[:count], root(MANY[:count])
    for index, data in enumerate(leaves):
        proof = proof_of(leaves, index)
        assert not any(is_proven(each, proof, top) for each in MANY if each != data)
        assert not any(is_proven(data, replace(proof, index=each), top) for each in range(-2, 45) if each != index)
        assert not any(is_proven(data, proof, root(MANY[:each])) for each in range(41) if each != count)
        # A leaf that the tree does not have is not proven by proofs of those that it has.
        assert not any(is_proven(b"no leaf", proof_of(leaves, each), top) for each in range(count))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 13])
def test_a_proof_is_as_long_as_it_is(count: int) -> None:
    leaves, top = MANY[:count], root(MANY[:count])
    for index, data in enumerate(leaves):
        proof = proof_of(leaves, index)
        whole = proof.path
        others = {whole[:length] for length in range(len(whole))} | {whole[1:]} - {whole}
        others |= {(*whole, top), (top, *whole), (*whole, *whole[-1:], sha()), whole[::-1]}
        for other in others - {whole}:
            assert not is_proven(data, replace(proof, path=other), top)


def test_a_node_is_no_leaf() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    top = tree_root([b"left", b"right"])
    assert top == sha(b"\1", left, right)
    for forged in (left + right, b"\1" + left + right, top):
        assert not is_proven(forged, EdgeProof(0, 1, ()), top)
    four = tree_root([b"left", b"right", b"more", b"last"])
    beside = tree_root([b"more", b"last"])
    for data in (left + right, b"\1" + left + right):
        assert not is_proven(data, EdgeProof(0, 2, (beside,)), four)
    # Nor is a proof in a part of the tree one in the whole.
    assert not is_proven(b"left", EdgeProof(0, 2, (right,)), four)


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=20), st.data())
def test_a_bit_that_is_turned_proves_nothing(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, top = proof_of(leaves, index), tree_root(leaves)
    assert is_proven(leaves[index], proof, top)
    hashes = [*proof.path, top]
    place = data.draw(st.integers(0, len(hashes) - 1))
    turned = bytearray(hashes[place])
    turned[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    hashes[place] = bytes(turned)
    assert not is_proven(leaves[index], replace(proof, path=tuple(hashes[:-1])), hashes[-1])


class Likely(EdgeProof):
    """Looks like a proof."""


@pytest.mark.parametrize(
    "fields",
    [
        {"index": -1},
        {"index": True},
        {"index": 1.0},
        {"index": None},
        {"index": 5},
        {"count": 0},
        {"count": -5},
        {"count": 5.0},
        {"count": None},
        {"count": 1 << 70},
        {"path": None},
        {"path": "path"},
        {"path": (None, None, None)},
        {"path": (b"short", b"short", b"short")},
    ],
)
def test_a_proof_with_a_forged_field_proves_nothing(fields: dict[str, Any]) -> None:
    leaves = MANY[:5]
    proof = proof_of(leaves, 1)
    assert is_proven(leaves[1], proof, root(leaves))
    assert not is_proven(leaves[1], replace(proof, **fields), root(leaves))


@pytest.mark.parametrize("change", [list, lambda path: tuple(map(bytearray, path)), lambda path: (*path[:-1], b"")])
def test_a_path_is_a_tuple_of_hashes(change: Any) -> None:
    leaves = MANY[:5]
    proof = proof_of(leaves, 1)
    assert not is_proven(leaves[1], replace(proof, path=change(proof.path)), root(leaves))


@pytest.mark.parametrize("proof", [None, (1, 5, ()), Likely(0, 1, ())])
def test_only_a_proof_is_one(proof: Any) -> None:
    assert is_proven(b"", EdgeProof(0, 1, ()), root([b""]))
    assert not is_proven(b"", proof, root([b""]))


@pytest.mark.parametrize("index", [-1, 5, None, True, 1.0, "1"])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: Any) -> None:
    with pytest.raises(InvalidArgument, match="index"):
        proof_of(MANY[:5], index)
    with pytest.raises(InvalidArgument, match="below 0"):
        proof_of([], 0)


def test_a_place_of_another_integer_type_is_that_place() -> None:
    proof = proof_of(MANY[:5], IntEnum("Place", {"SECOND": 1}).SECOND)  # type: ignore[attr-defined]
    assert type(proof.index) is int
    assert is_proven(MANY[1], proof, root(MANY[:5]))
