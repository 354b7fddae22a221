"""Command line `forge-rt`: one module per command, loaded when it is asked for."""

#: Exit statuses besides 0.
EXIT_FAILED = 1  #: the command ran and its answer is "no": a check failed
EXIT_ERROR = 2  #: it could not do its work: wrong input, file or machine
