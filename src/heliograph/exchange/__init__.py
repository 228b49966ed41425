"""Thin doors for other systems: DIMSE, DICOMweb, HL7. They parse, call a use-case and answer."""
