"""Gradient estimators at a node: the advantage that multiplies its score."""
