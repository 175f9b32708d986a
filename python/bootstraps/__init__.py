"""Starting what SeedCore needs on a Ray cluster besides its services: see docs/ray-bootstrap.md."""
