"""HTTP: API, pages and console.

Requests read state, store requests for work and publish; actors do the work.
"""
