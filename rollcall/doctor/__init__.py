"""The checks of `rollcall doctor`: one module per group."""
