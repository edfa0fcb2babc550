"""Schedules: when work is published. This package executes nothing itself."""
