"""Many runs from one command: the grid, its jobs, their record."""
