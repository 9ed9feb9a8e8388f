"""What can be said of a model: quality, agreement, contents, speed, reports."""
