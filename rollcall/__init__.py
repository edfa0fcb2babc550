"""The composition root: settings, wiring, processes, command line. Only it reads the environment."""
