"""Construction of kernels: Numba's options, compiler intrinsics, and loops made from scalar functions."""
