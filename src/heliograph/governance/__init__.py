"""Who may do what, and the proof of what was done. Knows organisations and users, not studies or reports."""
