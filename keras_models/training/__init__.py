"""Training on photos: settings, the resumable run, what it logs."""
