"""What the door serves: the HTTP API, a module a resource."""
