"""Tools without product rules: settings, database, work, jobs, objects, events, clock, errors.

Nothing here knows what a study, an order or a report is. Everything above may import the kit; the kit imports nothing above.
"""
