"""The Starlette application: one module a surface. It only publishes."""
