"""Prometheus metrics. Labels are routes, codes and parts; never an id or a name."""

from __future__ import annotations

from prometheus_client import Gauge, Histogram

REQUESTS = Histogram(
    "heliograph_http_request_seconds",
    "Time to answer a request.",
    ["route", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
LIVE_PAGES = Gauge("heliograph_live_pages", "Browsers that listen for changes.")
SPOOLED = Gauge("heliograph_spooled_objects", "Received objects that await indexing on this host.")
UNSEALED = Gauge("heliograph_unsealed_events", "Audit events that await sealing.")
"""The last two are read when /metrics is asked."""
