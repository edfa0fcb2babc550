"""The operator's console: pages rendered here, live by server-sent events, without a front-end build."""
