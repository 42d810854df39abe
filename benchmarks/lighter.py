"""What runs that compute less change: `python -m benchmarks.lighter`.

The demo on held-out scenes with guidance at all steps, at the first half of them and at the first alone: how many scenes are done,
how far the result is from the full run's (PSNR, in dB), and how many forwards were counted. Once in Ditto's form (distilled, 4 steps,
guidance 1.2), once without the distillation LoRA (8 steps, guidance 2.5).
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reelpatch.clips.finish import paste_back
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.evaluate import mask_of, numpy_of
from reelpatch.headless.demo.judge import judge
from reelpatch.headless.demo.scenes import Example
from reelpatch.headless.editor import Editor
from reelpatch.measure.likeness import psnr
from reelpatch.recipes import Recipe, recipe
from reelpatch.sampling.guidance import Guidance

DEMO = recipe("demo")
FORMS = {
    "distilled, 4 steps, guidance 1.2": replace(DEMO, guidance=Guidance(1.2)),
    "8 steps, guidance 2.5": replace(
        DEMO,
        steps=8,
        guidance=Guidance(2.5),
        files=tuple(one for one in DEMO.files if one.role != "lora"),
    ),
}


@dataclass(frozen=True)
class Row:
    """One way to run a form: over all scenes, how many are done, the mean PSNR to the full run, and forwards of one edit."""

    form: str
    guided: int
    forwards: float
    done: float
    psnr_db: float


def edited(editor: Editor, example: Example) -> Tensor:
    """The finished clip."""
    source, mask = torch.from_numpy(example.source), mask_of(example)
    made = editor.render(source, example.instruction, mask=mask, seed=example.seed)
    return made if mask is None else paste_back(made, source, mask)


def measure(num_scenes: int, name: str, form: Recipe) -> Iterator[Row]:
    """The full run first, then those with less guidance."""
    examples = [scenes.example(scenes.HELD_OUT + number) for number in range(num_scenes)]
    editor = Editor(form)
    count: list[int] = []
    editor.transformer().backbone.register_forward_pre_hook(lambda *_given: count.append(1))
    full: list[Tensor] = []
    for guided in (form.steps, form.steps // 2, 1):
        models = editor.under(form.guided(None, guided))
        count.clear()
        made = [edited(models, example) for example in examples]
        full = full or made
        done = [judge(example, numpy_of(one)).hit for example, one in zip(examples, made, strict=True)]
        near = [psnr(one, other) for one, other in zip(made, full, strict=True)]
        yield Row(
            name, guided, len(count) / num_scenes, statistics.fmean(map(float, done)), statistics.fmean(near)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=64)
    num_scenes = parser.parse_args().scenes
    for name, form in FORMS.items():
        for row in measure(num_scenes, name, form):
            sys.stdout.write(
                f"{row.form}, guidance at {row.guided} steps: {row.forwards:g} forwards, {row.done:.3f} of {num_scenes} scenes done, "
                f"{row.psnr_db:.1f} dB to the full run\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
