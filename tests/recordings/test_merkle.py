"""The tree of seals, held against RFC 6962's own definition."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from recordings import merkle

leaf_lists = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, for leaves that are hashed already."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = by_definition(leaves[:split]), by_definition(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@given(leaf_lists)
def test_the_root_is_the_one_of_the_rfc(leaves):
    assert merkle.root_of(merkle.grow([], 0, leaves)[0]) == by_definition(leaves)


def test_an_empty_tree_has_the_rfc_root():
    assert merkle.root_of([]) == by_definition([])


@given(leaf_lists, st.data())
def test_growing_in_two_steps_is_growing_at_once(leaves, data):
    cut = data.draw(st.integers(0, len(leaves)))
    peaks, size = merkle.grow([], 0, leaves[:cut])
    assert merkle.grow(peaks, size, leaves[cut:]) == merkle.grow([], 0, leaves)


@given(leaf_lists, st.data())
def test_every_path_leads_to_the_root_and_only_from_its_leaf(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, size = merkle.path_to(leaves, index), len(leaves)
    root = by_definition(leaves)
    assert merkle.root_from(leaves[index], index=index, size=size, path=path) == root
    other = hashlib.sha256(leaves[index]).digest()
    assert merkle.root_from(other, index=index, size=size, path=path) != root
    assert merkle.root_from(leaves[index], index=index, size=size, path=[*path, other]) is None
    assert merkle.root_from(leaves[index], index=size, size=size, path=path) is None


def test_a_leaf_never_passes_for_a_node():
    left, right = b"l" * 32, b"r" * 32
    node = merkle.node_hash(left, right)
    assert hashlib.sha256(b"\x00" + left + right).digest() != node
