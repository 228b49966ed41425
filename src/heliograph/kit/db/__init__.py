"""The database: declarative base, sessions that know their actor, and the embedded PostgreSQL."""
