"""Load that anybody can cause, without a token, against the web role behind Caddy."""
