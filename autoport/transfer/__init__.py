"""Carries a plan out, all or nothing: into a model, or from file to file."""
