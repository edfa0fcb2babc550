"""The operator console: server-rendered pages with server-sent events, without a front-end build."""
