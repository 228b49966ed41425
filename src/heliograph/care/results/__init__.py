"""Reports that sites send: their own readings of what we read, and prior reports; compared with ours, each version kept."""

from __future__ import annotations
