"""Training recipes: short scripts that show what data of ours teaches a network."""
