"""Runs by itself: how long a 14B backbone in fp8 takes to a plan and to a loaded model, and the memory it adds.

Argument: the file. What is printed is JSON.
"""

import json
import sys
import time
from pathlib import Path

from reelpatch.headless.models.wan_transformer import load_backbone
from reelpatch.plan.job import Job, count_work
from reelpatch.plan.models import models_of
from reelpatch.recipes import recipe
from reelpatch.weights.header import Kind
from reelpatch.weights.weight_files import expect_weights


def private_bytes() -> int:
    """Memory of this process that is no file's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


def main() -> None:
    path = Path(sys.argv[1])
    before, began = private_bytes(), time.perf_counter()
    ditto = recipe("ditto-global")
    count_work(
        Job(ditto, 73, (480, 832)), models_of(ditto, {"backbone": expect_weights(path, Kind.BACKBONE)})
    )
    planned = time.perf_counter()
    model = load_backbone(path)
    loaded = time.perf_counter()
    num_bytes = path.stat().st_size
    result = {
        "file_gb": num_bytes / 1e9,
        "to_a_plan_s": planned - began,
        "load_s": loaded - planned,
        "anonymous_growth_mb": (private_bytes() - before) / 1e6,
        "anonymous_growth_of_file": (private_bytes() - before) / num_bytes,
        "blocks": len(model.blocks),
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
