"""One flat representation of a network, its operations, and exact rewrites of it."""
