"""What happened to a watch, a section, an address or a notification, and why nothing did."""
