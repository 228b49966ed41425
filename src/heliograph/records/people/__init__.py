"""Readers and what they may read: licences, certificates, languages, places, engagements and privileges.

Owns: readers, licences, certificates, reader_languages, reading_places, engagements, privileges.
"""
