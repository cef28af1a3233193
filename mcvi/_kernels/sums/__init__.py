"""Sums, moments, order statistics and small linear algebra over blocks of draws."""
