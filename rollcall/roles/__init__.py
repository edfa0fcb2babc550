"""The long-running processes: worker, scheduler, web, jobs."""
