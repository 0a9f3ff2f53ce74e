"""The commands of the command line: each module has the options of one, and carries it out."""
