"""Loops that compute log weights, and the sweep that sums them."""
