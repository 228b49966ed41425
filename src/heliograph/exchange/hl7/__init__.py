"""The HL7 v2 door: orders from sites over MLLP.

Owns no tables. `server.run` listens; `inbound.handle` answers one message; `orm` reads ORM^O01.
"""
