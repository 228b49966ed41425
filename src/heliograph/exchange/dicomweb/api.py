"""The DICOMweb door: parse, call, answer."""

from __future__ import annotations

from fastapi import APIRouter

from heliograph.exchange.dicomweb import capabilities_api, rendered_api, retrieve_api, search_api, store_api, wado_uri

router = APIRouter()
for part in (search_api, retrieve_api, rendered_api, wado_uri, store_api, capabilities_api):
    router.include_router(part.router)
