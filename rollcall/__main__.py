"""`python -m rollcall` is the `rollcall` command."""

from rollcall.cli.main import main

main()
