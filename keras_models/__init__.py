"""Small super-resolution networks in Keras 3: LKDN, LKDN-S and MAFDN, their training, folding, checkpoints and metrics."""
