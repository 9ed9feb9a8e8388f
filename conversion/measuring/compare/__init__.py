"""One page of a photo, enlarged by several models."""
