"""What the machine is asked for: atomic files, child processes, quiet native libraries, errors in one line."""
