"""The composition root: settings, wiring, processes, command line. Sole reader of the environment."""
