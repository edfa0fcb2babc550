"""What an operator may do and see, the same from the console and from the command line."""
