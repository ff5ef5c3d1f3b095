"""The programs as Bazel's targets, and what makes pages of docs."""
