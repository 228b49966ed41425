"""The worker: jobs from the queue, sweeps on the clock, and the indexer of this host's spool."""
