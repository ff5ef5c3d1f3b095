"""A training run as a Launchpad program: the same parts, several workers."""
