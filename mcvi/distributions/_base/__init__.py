"""What families are made of: base classes, pages of scalar functions, parametrisations and the KL registry."""
