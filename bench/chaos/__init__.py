"""A recorded season with faults: roles and Redis are killed, responses are lost, every mail is verified."""
