"""The seam to an engine: its contract, its process, its frames, and what its events mean to us."""
