"""Users, the roles they hold in organisations, sessions, keys for machines, and sign-in.

Owns: users, role_assignments, sessions, sign_in_attempts, keys, passed_views.
"""
