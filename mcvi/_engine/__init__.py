"""The engine of the estimators. `estimator` is its door. `mcvi.bias` alone looks behind it: at `draws` and `parallel`."""
