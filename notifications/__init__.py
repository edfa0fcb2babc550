"""Message rendering, and the transports that send messages."""
