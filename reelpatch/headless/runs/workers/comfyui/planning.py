"""Every job for ComfyUI servers is checked before the first is sent: its files, where its result goes, and what made it before."""

import hashlib
import json
from dataclasses import dataclass

import reelpatch
from reelpatch.errors import BadInput
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.job_identity import is_there
from reelpatch.headless.runs.batch.planning import Entries, take_over
from reelpatch.headless.runs.workers.comfyui.filling import FilledWorkflow
from reelpatch.headless.runs.workers.comfyui.shipped import suffix_of
from reelpatch.media.saving import check_place
from reelpatch.windows.file_stamp import stamps


@dataclass(frozen=True)
class ServerPlanner:
    """As `JobPlanner`, for jobs whose requests are filled workflows. What they take is the servers' to say."""

    before: Entries

    def plan(self, job: Job) -> None:
        """As `JobPlanner`."""
        request, entry = job.request, self.before.get(str(job.target))
        for what, path in request.inputs:
            if not path.is_file():
                raise BadInput(f"the file {path} for {what} is not there: check the path.")
        job.identity = _identity(request)
        if entry is not None and entry.get("identity") == job.identity and is_there(entry.get("outputs", [])):
            take_over(job, entry)
            return
        check_place(request.target, suffix_of(request.prompt), request.inputs)


def _identity(request: FilledWorkflow) -> str:
    decides = {
        "version": reelpatch.__version__,
        "workflow": request.prompt,
        "files": stamps(path for _, _, path in request.files),
        "output": str(request.target.absolute()),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
