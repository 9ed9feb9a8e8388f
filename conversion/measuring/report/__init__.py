"""`mobile-sr report`: one self-contained HTML page about one or more models."""
