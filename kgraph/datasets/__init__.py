"""Data sets: NumPy arrays in, no graph code."""
