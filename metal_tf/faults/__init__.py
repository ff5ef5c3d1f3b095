"""Faults injected into real processes, and what must happen then."""
