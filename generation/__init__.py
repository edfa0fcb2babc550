"""Generation: pictures that an AI provider makes from a text, and from another picture."""
