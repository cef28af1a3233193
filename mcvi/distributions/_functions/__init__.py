"""Special functions of several families that autograd can differentiate."""
