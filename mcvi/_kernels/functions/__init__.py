"""Elementary and special functions of numbers, to be inlined into loops."""
