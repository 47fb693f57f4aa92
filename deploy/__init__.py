"""How Malote is started: the command line, one machine, the demonstration."""
