"""How much memory each stage of an edit needs, with all weights on the card or with blocks streamed to it.

Weights are counted. Activations follow the tensors that are alive at once when the headless code runs on fake
tensors of full size (the tests hold them to it); `RESERVED_BYTES` and `SLACK` are estimates.
"""

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

from reelpatch.families.counts import FP8, FP32, HALF, TILE_PX, CountsItsSteps, tiled_pixels, tiles_of
from reelpatch.plan.job import Job
from reelpatch.plan.models import Models
from reelpatch.plan.step_memory import PIECES, step_in_pieces

GIB = 2**30
RESERVED_BYTES = int(0.6 * GIB)  # a CUDA context and the work space of cuBLAS and cuDNN
SLACK = 0.05  # of activations, lost between blocks of the allocator
PROCESS_BYTES = int(1.5 * GIB)  # Python with torch and diffusers
# Bytes of RAM for each pixel of each frame: the clip as bytes (3) and as floats (12), what is kept and what is
# edited of it (24), the mask (4), and the result as floats (12) and bytes (3).
PIXEL_RAM_BYTES = 58
SLOTS = 2  # one part of a block is computed while the next is on its way

# Of each token: rotary angles in two layouts, and what depends on no width.
_TOKEN_BYTES = 1664
# Rows of text and modulation in several stages, for each channel of width.
_TEXT_BYTES = 1400

# A VAE in half precision computes its norms and enlarges pictures in fp32: so much more than half is alive.
_PRECISE_BESIDE = 1.04

# Of each token, per channel of width, in self-attention that reads the keys and values of two clips.
_SHARED_NUMBERS = 11

Stage = Literal["text", "encode", "step", "decode"]
Placement = Literal["resident", "streamed"]


@dataclass(frozen=True)
class StageMemory:
    """What a stage holds at its peak, in bytes."""

    stage: Stage
    weights: int
    activations: int
    reserved: int = RESERVED_BYTES

    @property
    def total(self) -> int:
        """With what the driver and the allocator take beside it, as far as it can be estimated."""
        return self.weights + int(self.activations * (1 + SLACK)) + self.reserved


@dataclass(frozen=True)
class Memory:
    """The stages of an edit and what moves between RAM and card, in bytes.

    `streamed_blocks` of `num_blocks` are sent again for every forward; they lie in RAM, as part of `ram_files`,
    which the system can drop and read again. `ram` is what it can't drop. `vae_work` is how often the VAE computes
    each pixel: more than once where it works in tiles. Blocks run over pieces of at most `piece` tokens, or all at once.
    """

    placement: Placement
    stages: tuple[StageMemory, ...]
    streamed_blocks: int
    num_blocks: int
    is_text_streamed: bool
    piece: int | None
    vae_work: float
    load_bytes: int
    stream_bytes: int
    clip_bytes: int
    ram: int
    ram_files: int

    @property
    def is_vae_tiled(self) -> bool:
        return self.vae_work > 1

    @property
    def peak(self) -> StageMemory:
        return max(self.stages, key=lambda stage: stage.total)

    @property
    def bus_bytes(self) -> int:
        """All that crosses the bus (PCIe) in one edit that starts with nothing on the card."""
        return self.load_bytes + self.stream_bytes + self.clip_bytes


def step_activations(job: Job, models: Models) -> int:
    """Bytes of tensors alive at the peak of a forward: in a feed-forward layer, in a norm of queries and keys that is
    taken apart into its operations in fp32, or in self-attention that reads two clips.

    A LoRA beside the weights adds one more tensor of the feed-forward width. Where cards share the tokens, each makes those of all
    before it takes its own.
    """
    if isinstance(models.backbone, CountsItsSteps):
        return models.backbone.step_bytes(
            job.tokens_here,
            pictures=job.pictures_seen,
            number_bytes=models.compute_bytes,
            matrix_bytes=models.backbone_bytes,
            has_loras=models.has_loras,
        )
    width, ffn_dim = models.backbone.dim, models.backbone.ffn_dim
    one, contexts = models.compute_bytes, job.contexts
    streams = one * (contexts + min(contexts, 2))
    norm = (22 if one == HALF else 34) * width
    feed_forward = 3 * one * width + (3 if models.has_loras else 2) * one * ffn_dim
    # A matrix of the feed-forward layer as it is computed with; while the module's runs, one stream more is there.
    widened = one * width * ffn_dim
    less = one * width * job.rows * job.tokens_here if contexts else 0
    widening = max(0, widened - less) if models.backbone_bytes == FP8 else 0
    if contexts and models.module_bytes == FP8:
        widening = widened
    # Six numbers for each channel, as they are made and in fp32, where tokens have timesteps of their own.
    timed = 6 * width * (one + FP32) if job.recipe.edit_kind.times_tokens else 0
    shared = _SHARED_NUMBERS * one * width if _reads_both(job, models) else 0
    token = streams * width + max(norm, feed_forward, shared) + timed + _TOKEN_BYTES
    of_all = 0 if job.cards == 1 else job.tokens * one * width * (1 + min(contexts, 1))
    return job.rows * (job.tokens_here * token + of_all) + _TEXT_BYTES * width + widening


def _reads_both(job: Job, models: Models) -> bool:
    """Whether any block reads keys and values of two clips at once, as concatenating ones do."""
    sharing, blocks = job.recipe.sharing, models.backbone.num_blocks
    levels = (one.shared_at for one in job.passes()) if sharing is not None else ()
    return any(sharing.doubled_blocks(level, blocks) for level in levels if sharing and level is not None)


def encode_activations(job: Job, models: Models, *, is_tiled: bool = False) -> int:
    """Bytes of tensors alive at the peak of encoding: one chunk of four frames, and the clip itself."""
    height, width = _worked_size(job, is_tiled=is_tiled)
    live = models.vae.live_numbers(job.frames, (height, width))[0]
    converted = 0 if models.vae_number_bytes == FP32 else models.vae_number_bytes
    return int(_vae_bytes(models, live) + 3 * (FP32 * job.pixels + converted * job.frames * height * width))


def decode_activations(job: Job, models: Models, *, is_tiled: bool = False) -> int:
    """Bytes of tensors alive at the peak of decoding: one latent frame's pixels, and those decoded before.

    At the end the frames are there as they were computed and twice in fp32. What tiles were added up to is there beside one.
    """
    one, (height, width) = models.vae_number_bytes, _worked_size(job, is_tiled=is_tiled)
    live, pixels = (
        models.vae.live_numbers(job.frames, (height, width))[1],
        3 * job.frames * height * width,
    )
    peak = max(_vae_bytes(models, live) + one * pixels, pixels * (one + 2 * FP32))
    return int(peak + (FP32 * 3 * job.pixels if is_tiled else 0))


def _vae_bytes(models: Models, numbers: float) -> float:
    """Of numbers that a VAE holds while it computes."""
    beside = 1.0 if models.vae_number_bytes == FP32 else _PRECISE_BESIDE
    return models.vae_number_bytes * numbers * beside


def _worked_size(job: Job, *, is_tiled: bool) -> tuple[int, int]:
    if not is_tiled:
        return job.canvas
    rows, columns = tiles_of(job.canvas)
    return rows.length_px, columns.length_px


def text_activations(models: Models) -> int:
    """Bytes of tensors alive at the peak of a text of full length."""
    return models.text.live_bytes(models.compute_bytes, models.text_bytes)


def plan_memory(job: Job, models: Models, *, placement: Placement, vram: int) -> Memory:
    """Memory with all weights on the card, or with no more of them there than `vram` has room for."""
    blocks = models.block_bytes
    is_streamed = placement == "streamed"
    resident = len(blocks)
    # The VAE leaves the card while denoising, where there is no room for everything.
    weights = models.transformer_bytes + models.vae_bytes
    least = models.outside_bytes + SLOTS * models.slot_bytes if is_streamed else weights
    piece, activations = _pieces(job, models, least, vram, are_needed=is_streamed)
    if is_streamed:
        room = vram - StageMemory("step", least, activations).total
        resident = sum(total <= room for total in accumulate(blocks))
        weights = least + sum(blocks[:resident])
    text = StageMemory("text", models.text_encoder_bytes, text_activations(models))
    is_text_streamed = is_streamed and text.total > vram
    if is_text_streamed:
        text = StageMemory("text", SLOTS * models.text_block_bytes, text.activations)
    encode = StageMemory("encode", models.vae_bytes, encode_activations(job, models))
    decode = StageMemory(
        "decode", models.vae_bytes if is_streamed else weights, decode_activations(job, models)
    )
    has_no_room = is_streamed and max(encode.total, decode.total) > vram
    is_tiled = max(job.canvas) > TILE_PX and (has_no_room or models.vae.is_always_tiled)
    if is_tiled:
        encode = replace(encode, activations=encode_activations(job, models, is_tiled=True))
        decode = replace(decode, activations=decode_activations(job, models, is_tiled=True))
    stages = (text, encode, StageMemory("step", weights, activations), decode)
    stream = _streamed_bytes(job, models, resident)
    again = sum(blocks[resident:])
    text_sent = models.text_encoder_bytes * (job.num_prompts if is_text_streamed else 1)
    return Memory(
        placement=placement,
        stages=stages,
        streamed_blocks=len(blocks) - resident,
        num_blocks=len(blocks),
        is_text_streamed=is_text_streamed,
        piece=piece,
        vae_work=tiled_pixels(job.canvas) / (job.canvas[0] * job.canvas[1]) if is_tiled else 1.0,
        load_bytes=text_sent + models.vae_bytes + models.num_experts * (models.transformer_bytes - again),
        stream_bytes=stream,
        clip_bytes=FP32 * 3 * job.pixels * 3,  # in twice, out once
        ram=PROCESS_BYTES + PIXEL_RAM_BYTES * job.pixels + models.picture_encoder_bytes,
        ram_files=again,
    )


def _pieces(job: Job, models: Models, weights: int, vram: int, *, are_needed: bool) -> tuple[int | None, int]:
    """The longest pieces of the tokens with which a step fits beside so many weights, else the shortest; and what is alive."""
    if job.cards > 1:
        return None, step_activations(job, models)
    if not are_needed:
        whole = step_activations(job, models)
        if not models.works_in_pieces or StageMemory("step", weights, whole).total <= vram:
            return None, whole
    elif not models.works_in_pieces:
        return None, step_activations(job, models)
    tried = [(piece, step_in_pieces(job, models, piece)) for piece in PIECES]
    fitting = (one for one in tried if StageMemory("step", weights, one[1]).total <= vram)
    return next(fitting, tried[-1])


def _streamed_bytes(job: Job, models: Models, resident: int) -> int:
    blocks, num_main = models.block_bytes, models.backbone.num_blocks
    main, module = sum(blocks[resident:num_main]), sum(blocks[max(resident, num_main) :])
    return sum(main + (module if one.contexts else 0) for one in job.passes())


def cpu_memory(job: Job, models: Models) -> Memory:
    """Memory where there is no card: everything lies in RAM, and the largest stage decides."""
    everything = models.transformer_bytes
    stages = (
        StageMemory("text", models.text_encoder_bytes, text_activations(models), 0),
        StageMemory(
            "encode", models.vae_bytes + models.picture_encoder_bytes, encode_activations(job, models), 0
        ),
        StageMemory("step", everything + models.vae_bytes, step_activations(job, models), 0),
        StageMemory("decode", everything + models.vae_bytes, decode_activations(job, models), 0),
    )
    largest = max(stage.total for stage in stages)
    return Memory(
        placement="resident",
        stages=stages,
        streamed_blocks=0,
        num_blocks=len(models.block_bytes),
        is_text_streamed=False,
        piece=None,
        vae_work=1.0,
        load_bytes=0,
        stream_bytes=0,
        clip_bytes=0,
        ram=PROCESS_BYTES + PIXEL_RAM_BYTES * job.pixels + largest,
        ram_files=0,
    )
