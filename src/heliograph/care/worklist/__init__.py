"""Cases and their reads: when they are ready, who may read them and why, who does, and by when.

Owns: cases, case_procedures, case_studies, case_intervals, reads, assignments, alarms.
"""
