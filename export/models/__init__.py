"""PyTorch definitions of the networks that forge_rt trains or carries."""
