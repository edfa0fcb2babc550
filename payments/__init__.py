"""Money: what the payment provider tells, and giving it back."""
