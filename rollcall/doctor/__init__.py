"""What `rollcall doctor` looks at: one module a group of checks."""
