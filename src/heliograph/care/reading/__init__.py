"""Reading: who has the report open, its draft, the signature, and the immutable versions.

Owns: reports, drafts, report_versions.
"""
