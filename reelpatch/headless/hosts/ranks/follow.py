"""A process that computes what the first one tells it, until that has ended."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time

from reelpatch.edits.render import Start
from reelpatch.errors import BadInput
from reelpatch.headless.hosts.ranks.fellows import Fellows, fellows
from reelpatch.headless.hosts.ranks.shared_run import SharedRun
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models.chosen_recipe import AskedModels, RunKind
from reelpatch.headless.rendering import RecipeHost
from reelpatch.progress import silent
from reelpatch.sampling.noise import draw_noise

_DONE, _UNEXPECTED, _BAD_INPUT = 0, 1, 2  # as the command's own exit codes
_FIRST_WORD_S = 3.0  # what is wrong in all processes, the first one says


class Fellow(LoadedRecipe):
    """The models of a recipe in a process that is told what to compute; of the recipe, the first one has made sure."""

    is_shared = True

    kind = RunKind(lambda _recipe: None)


def follow() -> int:
    """The exit code of this process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    logging.disable(logging.CRITICAL)
    own = fellows()
    try:
        _obey(own)
    except BadInput as error:
        return _ended(own, str(error), _BAD_INPUT)
    except Exception as error:
        return _ended(own, f"unexpected {type(error).__name__}: {error}", _UNEXPECTED)
    return _DONE


def _obey(own: Fellows) -> None:
    models: Fellow | None = None
    held: tuple[str, AskedModels] | None = None
    while (run := own.next_message()) is not None:
        assert isinstance(run, SharedRun)
        if models is None or held != (run.recipe.name, run.asked):
            models = None  # the next needs the memory
            models, held = Fellow(run.recipe, **run.asked.options), (run.recipe.name, run.asked)
        _take_part(run, models.under(run.recipe))


def _take_part(run: SharedRun, models: LoadedRecipe) -> None:
    """Makes the latents with the first process, which keeps them."""
    models.place_as(run.placement)
    host = RecipeHost(models, run.positive, run.negative, run.guidance)
    noise = draw_noise(run.prepared.shape, run.seed, references=run.prepared.references)
    host.sample(models.work, Start(run.prepared, noise, run.seed), silent)


def _ended(own: Fellows, message: str, code: int) -> int:
    sentence = f"reelpatch: process {own.ranks.rank + 1} of {own.ranks.count}: {message}\n"
    time.sleep(_FIRST_WORD_S)
    if own.may_say(sentence):
        sys.stderr.write(sentence)
        sys.stderr.flush()
    # Threads of a process group whose other processes are gone would be waited for.
    os._exit(code)
