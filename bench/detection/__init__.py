"""How many openings of a recorded season each schedule detects, and how soon, at an equal budget."""
