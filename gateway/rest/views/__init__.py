"""The endpoints of this door, one module a resource."""
