"""Readers of foreign model formats. They decode arrays and never run code from a file."""
