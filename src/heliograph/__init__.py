"""Heliograph runs a teleradiology network: studies go where a radiologist is awake, licensed and right."""

__version__ = "0.1.0"
