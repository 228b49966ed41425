"""Policy: what a jurisdiction asks, as data with its sources and flags.

Owns the default policy pack and its reading. It decides nothing about a case: the worklist's rules do, with these facts. What the pack
does not know is None, and None blocks and asks.
"""
