"""The DICOM door: storage, queries, retrieves and storage commitment for callers that a site has named.

Owns no rows. A C-STORE is answered with success when the object is durable in the spool; indexing follows in a worker.
`services` are the operations besides storage: `find`, `retrieve`, `commit`.
`scu_*`, `remote` and `transfers_api`: we as the caller, who fetches priors from nodes and sends studies to them.
"""
