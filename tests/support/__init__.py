"""What tests share: tiny models, photos, random weights, programs that they start."""
