"""What the site asked for: orders with their requested procedures and documents, and which study answers which order.

Owns: orders, requested_procedures, order_documents, order_studies.
"""
