"""Memory of one forward whose blocks run over pieces of the tokens, as `families/wan/pieces.py` computes them."""

from collections.abc import Iterator

from reelpatch.families.counts import FP8, FP32, HALF
from reelpatch.plan.job import Job
from reelpatch.plan.models import Models

# In tokens, the first that fits is taken: layers are as fast on any of them as on all tokens at once.
PIECES = (8192, 4096, 2048)
# Of each token: rotary angles in two layouts, and what depends on no width.
TOKEN_BYTES = 1664
# Rows of text and modulation in several stages, for each channel of width.
TEXT_BYTES = 1400


def step_in_pieces(job: Job, models: Models, piece: int) -> int:
    """Bytes of tensors alive at the peak of a forward over pieces of at most so many tokens.

    Of all tokens: the stream before and after a main block, one for each edit, and in the block that computes one more,
    to which keys and values come in self-attention. Where clips share attention, keys and values of both come beside.
    """
    width, one = models.backbone.dim, models.compute_bytes
    stream = one * width * job.rows * job.tokens
    timed = 6 * width * (one + FP32) if job.recipe.edit_kind.times_tokens else 0
    shared = 0 if job.recipe.sharing is None else 4 * stream
    always = job.rows * job.tokens * (TOKEN_BYTES + timed) + TEXT_BYTES * width + shared
    return always + max(_blocks(job, models, stream, job.rows * _longest(job.tokens, piece)))


def _blocks(job: Job, models: Models, stream: int, tokens: int) -> Iterator[int]:
    """What self-attention and the feed-forward layer of a main block hold, and of one of the edit module's."""
    width, ffn_dim, one = models.backbone.dim, models.backbone.ffn_dim, models.compute_bytes
    # A norm that is taken apart into its operations in fp32; and an input of that width, its normalised form, and each
    # of the widths in between, twice or with a LoRA three times.
    normed = tokens * (14 if one == HALF else 16) * width
    inner = 3 if models.has_loras else 2
    fed = tokens * (inner * one * ffn_dim + (6 if one == HALF else 4) * width)
    streams = [(1 + job.streams, models.backbone_bytes)]
    if job.streams:
        streams.append((1 + job.streams + min(job.streams, 2), models.module_bytes))
    for outside, held in streams:
        # Two matrices at a time are there as they are computed with, where they are held in another dtype.
        widened = 2 * one * width if held == FP8 else 0
        yield (outside + 3) * stream + normed + widened * width
        yield (outside + 1) * stream + fed + widened * ffn_dim


def _longest(tokens: int, piece: int) -> int:
    """Pieces differ by at most one token."""
    return -(-tokens // -(-tokens // piece))
