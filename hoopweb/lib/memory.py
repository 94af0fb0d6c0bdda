"""How this process keeps memory that it needs again and again."""

import ctypes
import sys

# From malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MB = 1024 * 1024


def keep_large_buffers() -> bool:
    """Let buffers of megabytes be used again instead of being given back to the system each time.

    Parts of results pass as such buffers, a handful for each; to be given clean pages for them
    costs a fifth of a part's time. What is kept stays under the trim threshold for each thread.
    False where the C library knows nothing of it: then nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, 32 * _MB)) and bool(mallopt(_TRIM_THRESHOLD, 64 * _MB))
