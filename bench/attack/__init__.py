"""Load from clients without a token, against the web role behind Caddy."""
