"""What runs that compute less change: `python -m benchmarks.lighter`.

The demo on held-out scenes as it is, with guidance at the first half of the steps and at the first alone, with its first steps at half
the size, and with both: how many scenes are done, how far the result is from the full run's (PSNR, in dB), how many forwards were
counted, and how many tokens they took, of the full run's. Once in Ditto's form (distilled, 4 steps, guidance 1.2), once without the
distillation LoRA (8 steps, guidance 2.5).
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
    """One way to run a form: over all scenes, how many are done, the mean PSNR to the full run, forwards of one edit and the part of the
    full run's tokens that they take.
    """

    way: str
    forwards: float
    tokens: float
    done: float
    psnr_db: float


def ways(form: Recipe) -> dict[str, Recipe]:
    """The full run first, then those that compute less."""
    quarter = form.steps // 4
    first = form.guided(None, 1)
    return {
        "all": form,
        f"guidance at {form.steps // 2} steps": form.guided(None, form.steps // 2),
        "guidance at 1 step": first,
        f"half the size at {quarter} steps": form.begun_at_half_size(quarter),
        f"half the size at {form.steps // 2} steps": form.begun_at_half_size(form.steps // 2),
        f"guidance at 1 step, half the size at {quarter}": first.begun_at_half_size(quarter),
    }


def edited(editor: Editor, example: Example) -> Tensor:
    """The finished clip."""
    source, mask = torch.from_numpy(example.source), mask_of(example)
    made = editor.render(source, example.instruction, mask=mask, seed=example.seed)
    return made if mask is None else paste_back(made, source, mask)


def measure(num_scenes: int, form: Recipe, named: str = "") -> Iterator[Row]:
    """The full run of a form, and its ways that have this in their name."""
    examples = [scenes.example(scenes.HELD_OUT + number) for number in range(num_scenes)]
    editor = Editor(form)
    tokens: list[int] = []
    editor.transformer().backbone.blocks[0].register_forward_pre_hook(
        lambda _block, given: tokens.append(given[0].shape[1])
    )
    full: list[Tensor] = []
    of_full = 0
    for way, settings in ways(form).items():
        if full and named not in way:
            continue
        models = editor.under(settings)
        tokens.clear()
        made = [edited(models, example) for example in examples]
        full, of_full = full or made, of_full or sum(tokens)
        done = [judge(example, numpy_of(one)).hit for example, one in zip(examples, made, strict=True)]
        near = [psnr(one, other) for one, other in zip(made, full, strict=True)]
        yield Row(
            way,
            len(tokens) / num_scenes,
            sum(tokens) / of_full,
            statistics.fmean(map(float, done)),
            statistics.fmean(near),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--form", choices=("distilled", "8 steps"), help="one of the two alone")
    parser.add_argument(
        "--ways",
        default="",
        help="beside the full run those alone that have this in their name, such as half",
    )
    options = parser.parse_args()
    for name, form in FORMS.items():
        if options.form and not name.startswith(options.form):
            continue
        for row in measure(options.scenes, form, options.ways):
            sys.stdout.write(
                f"{name}; {row.way}: {row.forwards:g} forwards, {row.tokens:.2f} of the tokens, {row.done:.3f} of {options.scenes} scenes "
                f"done, {row.psnr_db:.1f} dB to the full run\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
