"""The archive: data sets kept byte for byte, indexed as study, series and instance, served by frame.

Owns: studies, series, instances, held_objects; the spool folder; objects under `images/`.
"""
