"""What a client and a reading group have agreed: which exams, how fast, in which languages, seen from where.

Owns: agreements (versioned), promises.
"""
