"""A penalty read as a prior of the weights, and back."""
