"""Patients of one organisation, found by identifier and assigning authority; never by name.

Owns: patients, identifiers.
"""
