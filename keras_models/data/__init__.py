"""Photos to train on: reading, caching, patches, degradation, MATLAB's bicubic."""
