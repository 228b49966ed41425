"""Who is on when.

Owns: shifts.
"""
