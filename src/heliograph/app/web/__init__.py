"""The web server: routes of all rooms, the web app and the viewer, live events, health and metrics."""
