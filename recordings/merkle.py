"""The tree over all seals, as RFC 6962 describes it. Pure; hashes are 32 bytes.

A tree of ``n`` leaves is kept as its peaks, the roots of the complete subtrees that make it up, so
that adding leaves needs no reading of old ones.
"""

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(session_id: UUID, seal: str) -> bytes:
    """The leaf of one sealed session: its 16-byte id and its 32-byte seal."""
    return hashlib.sha256(b"\x00" + session_id.bytes + bytes.fromhex(seal)).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def grow(peaks: Sequence[bytes], size: int, leaves: Iterable[bytes]) -> tuple[list[bytes], int]:
    """Peaks and size after adding ``leaves`` on the right."""
    grown = list(peaks)
    for leaf in leaves:
        node, position = leaf, size
        while position & 1:
            node = node_hash(grown.pop(), node)
            position >>= 1
        grown.append(node)
        size += 1
    return grown, size


def root_of(peaks: Sequence[bytes]) -> bytes:
    """The tree head."""
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def path_to(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf ``index`` to the root, the lowest first."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path_to(leaves[:split], index), _head(leaves[split:])]
    return [*path_to(leaves[split:], index - split), _head(leaves[:split])]


def root_from(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that ``path`` leads to from ``leaf``; None when the path cannot belong there."""
    node, position, last = leaf, index, size - 1
    for step in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            node = node_hash(step, node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = node_hash(node, step)
        position >>= 1
        last >>= 1
    return node if last == 0 and 0 <= index < size else None


def _head(leaves: Sequence[bytes]) -> bytes:
    return root_of(grow([], 0, leaves)[0])
