"""Heliograph runs a teleradiology network: it moves studies to where a radiologist is awake, licensed and right."""

__version__ = "0.1.0"
