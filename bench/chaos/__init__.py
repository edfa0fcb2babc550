"""A recorded season under fire: roles and Redis are killed, answers are lost, and every mail is judged."""
