"""Delivery: each signed version to each destination, until the site has acknowledged it.

Owns: deliveries, delivery_attempts.
"""
