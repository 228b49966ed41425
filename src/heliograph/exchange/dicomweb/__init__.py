"""The DICOMweb door (PS3.18): QIDO-RS, WADO-RS, STOW-RS under `/dicomweb/{organization_slug}`.

Owns no rows. Every answer about a study first passes `visible`: row-level security, the actor's role, and the record of the view.
"""
