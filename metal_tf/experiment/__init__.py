"""One training run: assembly, loop, logs, checkpoints, summary."""
