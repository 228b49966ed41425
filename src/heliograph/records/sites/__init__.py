"""Facilities of organisations and everything that connects to them.

Owns: facilities, callers (DICOM), endpoints (HL7 in and out), messages (the log of every HL7 message).
"""
