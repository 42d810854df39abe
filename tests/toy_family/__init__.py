"""A family of models of somebody else's: 8 channels, latents of 2 frames x 4x4 pixels, a transformer 64 wide."""
