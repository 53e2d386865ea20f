"""One module per command of the command line. They are imported only when their command is called."""
