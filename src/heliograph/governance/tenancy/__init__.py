"""Organisations, and the grants by which one organisation's patient data may be seen by another.

Owns: organizations, grants. Row-level security of the whole database leans on the functions of this room's schema.
"""
