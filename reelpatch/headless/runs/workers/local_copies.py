"""What processes of local workers on a CPU are copies of: imported once, by the process that multiprocessing copies."""

from reelpatch.headless.models.lasting_imports import lasting_imports

with lasting_imports():
    from reelpatch.headless.runs.workers import job_server, local_process

__all__ = ["job_server", "local_process"]
