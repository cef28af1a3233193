"""The engine of the estimators.

`estimator` is its door. Bias studies alone look behind it: they import `draws` and `parallel` as well.
"""
