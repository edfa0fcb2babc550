"""`rollcall jobs` with the jobs of tests: `python -m tests.support.jobs_process [realtime,batch]`."""

from __future__ import annotations

import sys

from rollcall.roles import jobs
from tests.support.job_kinds import KINDS

if __name__ == "__main__":
    jobs.run([name for name in "".join(sys.argv[1:]).split(",") if name], kinds=KINDS)
