"""The record: append-only events, sealed into a Merkle log that can be proved whole.

Owns: events, pending, leaves, tree_heads.
"""
