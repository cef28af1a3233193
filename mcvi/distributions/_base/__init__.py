"""The parts of families: base classes, pages of scalar functions, parametrisations and the KL registry."""
