"""Applications for Ray Serve, one module per service."""
