"""Command line `forge-rt`: one module per command, loaded when it is asked for."""
