"""How long an edit takes on cards by name: a range between what plain engines and the best kernels have reached.

Nothing here was measured by Reelpatch. Each rate is one published by others, or derived from such; the range says
where a run is to be expected, and a number of its own is worth more as soon as there is one.
"""

from dataclasses import dataclass

from reelpatch.families.wan.sizes import WAN_14B
from reelpatch.plan.job import Work
from reelpatch.plan.memory import GIB, Memory

TERA, GIGA = 10**12, 10**9
DISK_BYTES_PER_S = (
    int(6e9),
    int(3.2e9),
)  # NVMe of PCIe 4 and 3; files that RAM has no room for come from there
PAGEABLE_BYTES_PER_S = int(6e9)  # over the bus, from memory that is not pinned
_REFERENCE_NUMBERS = 29_640 * WAN_14B.dim  # of the hidden state that `block_ms` was derived for


@dataclass(frozen=True)
class Card:
    """A card's published rates, in TFLOP/s unless said otherwise.

    `engine` is the whole forward in plain PyTorch (bf16, its own attention); `linear` and `attention` are the best
    kernels (8 bits; cuDNN, FlashAttention-3 or SageAttention); `vae` is both ends of the VAE. `block_ms` is what
    norms and other small operations of a block add at 29,640 tokens of the 14B model, fused.
    """

    name: str
    vram_gib: float
    engine: float
    linear: float
    attention: float
    vae: float
    bus_gb_per_s: float
    block_ms: float

    @property
    def vram(self) -> int:
        return int(self.vram_gib * GIB)


# engine: official Wan2.1 and LightX2V's benchmark (H200 366 s, diffusers on a 4090D 30.5 s a step), user reports at
# musubi-tuner 217 (A6000) and Wan2GP 28 (3090); kernels: FBGEMM and SageAttention charts; vae: fitted to three reports.
CARDS = (
    Card("H200", 140.0, 367, 1150, 860, 70, 50, 3.5),
    Card("RTX 4090", 24.0, 110, 270, 480, 25, 25, 6),
    Card("RTX 3090", 24.0, 49, 190, 134, 14, 25, 7),
    Card("RTX A6000", 48.0, 88, 200, 170, 20, 25, 8),
)


@dataclass(frozen=True)
class Seconds:
    """A range of time, from the fast to the slow end."""

    low: float
    high: float

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class Duration:
    """How long the stages of an edit take on a card, from weights in RAM on; `first_load` is their way there."""

    card: str
    load: Seconds
    text: Seconds
    encode: Seconds
    denoise: Seconds
    decode: Seconds
    first_load: Seconds

    @property
    def total(self) -> Seconds:
        """All but the first load."""
        return self.load + self.text + self.encode + self.denoise + self.decode


def find_card(name: str) -> Card | None:
    """The card whose number is in this name, as a driver writes it (`NVIDIA GeForce RTX 4090`); laptops' are others."""
    words = name.lower().split()
    if "laptop" in words:
        return None
    return next((card for card in CARDS if card.name.lower().split()[-1] in words), None)


def duration(
    card: Card,
    work: Work,
    memory: Memory,
    *,
    hidden_numbers: int,
    stored_bytes: int,
    ram: int,
    cards: int = 1,
) -> Duration:
    """The range for a card.

    `hidden_numbers` is tokens x width on one card; `stored_bytes` are those of all weight files; `ram` is the machine's. Of `cards` that share
    every forward each does its part; what goes between them is not counted.
    The fast end hides streaming behind arithmetic, the slow end waits for it and finds memory not pinned.
    """
    attention = work.denoise.self_attention + work.denoise.cross_attention
    num_blocks = memory.num_blocks * work.denoise.total / work.forward.total
    small = num_blocks * card.block_ms / 1000 * hidden_numbers / _REFERENCE_NUMBERS
    arithmetic = work.denoise.linear / (card.linear * TERA) + attention / (card.attention * TERA)
    compute = arithmetic / cards + small
    bus = card.bus_gb_per_s * GIGA
    is_in_ram = memory.ram + memory.ram_files <= ram
    fast_source, slow_source = (bus, PAGEABLE_BYTES_PER_S) if is_in_ram else DISK_BYTES_PER_S
    denoise = Seconds(
        max(compute, memory.stream_bytes / fast_source),
        work.denoise.total / (card.engine * TERA * cards) + memory.stream_bytes / slow_source,
    )
    fast_disk, slow_disk = DISK_BYTES_PER_S
    encode, decode = (flops * memory.vae_work / (card.vae * TERA) for flops in (work.encode, work.decode))
    return Duration(
        card=card.name,
        load=Seconds(memory.load_bytes / bus, memory.load_bytes / PAGEABLE_BYTES_PER_S),
        text=Seconds(work.text / (card.linear * TERA), work.text / (card.engine * TERA)),
        encode=Seconds(encode, encode),
        denoise=denoise,
        decode=Seconds(decode, decode),
        first_load=Seconds(stored_bytes / fast_disk, stored_bytes / slow_disk),
    )
