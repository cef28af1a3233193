"""The allocator's threshold, which decides whether the memory of blocks is kept."""

from functools import cache

import numpy as np

__all__ = ["keep_memory"]


@cache
def keep_memory() -> None:
    """Make the allocator keep the memory of blocks from one to the next; for tasks that hold more than a chunk.

    glibc returns an array of a block's size to the system when it is freed, and fetches each page of the next one anew:
    that takes longer than most arithmetic on it. Once a larger array was freed it keeps those of up to that size
    (mallopt(3), the dynamic M_MMAP_THRESHOLD), at most twice that in all. No page of this one is ever touched.
    """
    np.empty(2**21)
