"""The engine of the estimators. `estimator` is its door: nobody outside imports another of its modules."""
