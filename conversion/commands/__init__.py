"""One thin file a command: it parses, calls the library, prints the result."""
