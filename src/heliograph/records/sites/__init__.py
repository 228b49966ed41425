"""Facilities of organisations and everything that connects to them.

Owns: facilities, callers (DICOM, who calls us), nodes (DICOM, whom we call) and the transfers from and to them, endpoints (HL7 in
and out), messages (the log of every HL7 message).
"""
