"""The plan as a whole: every recipe, more work for more of everything, advice that is true, and times in reach."""

from dataclasses import replace

import pytest

from reelpatch.errors import BadInput
from reelpatch.families.wan.transformer_counts import T2V_14B
from reelpatch.plan.cards import CARDS, TERA, find_card
from reelpatch.plan.job import Job, count_work
from reelpatch.plan.machine import Machine, Offload
from reelpatch.plan.memory import GIB, plan_memory
from reelpatch.plan.models import DTYPES, models_of
from reelpatch.plan.plan import Plan, make_plan
from reelpatch.plan.report import report, report_for_node
from reelpatch.recipes import RECIPES, Recipe, recipe
from reelpatch.sampling.guidance import Guidance

DITTO, VACE = recipe("ditto-global"), recipe("vace")
JOB = Job(DITTO, 73, (480, 832))
SMALL_CARD = Machine("small", ram=32 * GIB, vram=12 * GIB)


def plan(
    job: Job = JOB, machine: Machine = SMALL_CARD, offload: Offload = "auto", dtype: str = "auto"
) -> Plan:
    models, fp8 = models_of(job.recipe, {}, dtype=dtype), models_of(job.recipe, {}, dtype="fp8")
    smaller = fp8 if fp8.stored_bytes < models.stored_bytes else None
    return make_plan(job, models, [machine], offload=offload, models_in_fp8=smaller)


@pytest.mark.parametrize("one", RECIPES.values(), ids=lambda one: one.name)
def test_every_recipe_that_can_be_run_can_be_planned(one: Recipe) -> None:
    for dtype in DTYPES:
        made = plan(Job(one, one.frames, (one.height, one.width), one.least_references), dtype=dtype)
        assert made.work.total > 0
        assert one.name in report(made)


def test_an_enhancer_is_its_backbone_alone_in_its_last_steps() -> None:
    record = recipe("enhance")
    job = Job(record, 73, (720, 1280))
    work = count_work(job, models_of(record, {}))
    assert job.grid.tokens == 68400
    # 5.5 PFLOP a forward, two forwards a step.
    assert work.forward.total == pytest.approx(5.5e15, rel=0.02)
    assert work.denoise.total == 8 * work.forward.total
    assert models_of(record, {}).num_parameters == T2V_14B.parameters.total
    fast = recipe("enhance-fast")
    assert count_work(replace(job, recipe=fast), models_of(fast, {})).denoise.total == 4 * work.forward.total


def test_the_published_ditto_run() -> None:
    made = plan().as_dict()
    assert (made["tokens"], made["forwards"]) == (29640, 8)
    assert round(made["tflop"]["forward"]["total"]) == 1746
    # 8 forwards but for block 2 in the negative passes of two steps.
    assert made["tflop"]["denoise"]["total"] == pytest.approx(8 * 1745.658 - 2 * 36.07, abs=0.1)
    assert round(2 * 1659.7 * 4 / 1000, 1) == 13.3
    at_16_to_9 = count_work(replace(JOB, size=(464, 832)), models_of(DITTO, {}))
    assert round((at_16_to_9.denoise.total + 2 * T2V_14B.block_flops(28652).total) / 1e15, 1) == 13.3
    assert made["parameters"]["backbone"] + made["parameters"]["module"] == 17_337_592_896


def test_long_and_distilled_runs() -> None:
    quality = recipe("ditto-quality")
    work = count_work(Job(quality, 73, (480, 832)), models_of(quality, {}))
    assert round(work.denoise.total / 1e15) == 175
    first_step_only = replace(DITTO, guidance=Guidance(1.2, steps={0}), skip_layers=None)
    assert len(list(replace(JOB, recipe=first_step_only).passes())) == 5


def test_references_and_edits_add_work() -> None:
    models = models_of(VACE, {})
    job = Job(VACE, 81, (480, 832))
    with_reference = replace(job, references=1)
    assert with_reference.grid.tokens == 34320
    base, more = count_work(job, models), count_work(with_reference, models)
    assert round(more.forward.total / 1e12, 1) == 2178.8
    assert more.encode > base.encode
    assert more.decode == base.decode
    two = count_work(replace(job, contexts=2), models)
    assert two.forward.total - base.forward.total == models.module.flops(job.grid.tokens).total


def test_two_experts_are_both_loaded_and_one_is_held() -> None:
    pair = Job(recipe("bernini-r"), 81, (480, 832))
    files = tuple(file for file in pair.recipe.files if file.role != "low_noise")
    one = replace(pair, recipe=replace(pair.recipe, files=files))
    of_pair, of_one = models_of(pair.recipe, {}), models_of(one.recipe, {})
    assert (of_pair.num_experts, of_one.num_experts) == (2, 1)
    assert of_pair.transformer_bytes == of_one.transformer_bytes
    assert of_pair.stored_bytes - of_one.stored_bytes == of_one.transformer_bytes
    machine = Machine("M", 256 * GIB, 24 * GIB, "RTX 3090")
    (two,), (alone,) = (plan(job, machine).machines for job in (pair, one))
    assert two.memory.peak == alone.memory.peak
    streamed = alone.memory.ram_files
    assert two.memory.load_bytes - alone.memory.load_bytes == of_one.transformer_bytes - streamed
    text = report(plan(pair, machine))
    assert "2 times, one after the other, 14.6 GB backbone" in text
    assert "TFLOP each" in text
    referred = report(plan(replace(pair, references=2), machine))
    assert "TFLOP at most" in referred


def test_a_pass_counts_the_tokens_that_it_is_shown_by_hand() -> None:
    """Bernini-R at 832x480 and 81 frames: 21 latent frames of 1,560 tokens, as many of the source, one for each reference."""
    bernini = recipe("bernini-r-1.3b")
    alone = Job(bernini, 81, (480, 832))
    assert [alone.tokens_seeing(one.sees) for one in alone.passes()] == [65_520] * 80
    referred = Job(bernini, 81, (480, 832), references=2)
    assert [referred.tokens_seeing(one.sees) for one in referred.passes()][:3] == [32_760, 68_640, 68_640]
    assert (alone.grid.frames, referred.grid.frames) == (21, 21)  # references lie beside the sample
    assert (
        Job(recipe("videocof"), 33, (480, 832)).grid.frames == 10
    )  # the latent frame that grounds it is its own
    assert len(list(referred.passes())) == 120
    assert (alone.num_prompts, referred.num_prompts) == (2, 2)
    once = Job(bernini.guided(1.0), 81, (480, 832), references=2)
    assert (len(list(once.passes())), once.num_prompts) == (40, 1)


@pytest.mark.parametrize(
    ("card", "seconds"), [("H200", 1.78), ("RTX 4090", 5.04), ("RTX 3090", 11.1), ("RTX A6000", 9.5)]
)
def test_the_fast_end_is_the_published_reach_of_kernels(card: str, seconds: float) -> None:
    found = find_card(f"NVIDIA {card} PCIe")
    assert found is not None
    forward = plan().work.forward
    attention = forward.self_attention + forward.cross_attention
    reach = forward.linear / (found.linear * TERA) + attention / (found.attention * TERA)
    assert reach == pytest.approx(seconds, rel=0.01)


def test_times_are_ranges_and_grow_with_what_is_streamed() -> None:
    on_small = {timed.card: timed.total for timed in plan().machines[0].durations}
    roomy = plan(machine=Machine("large", ram=64 * GIB, vram=80 * GIB))
    on_large = {timed.card: timed.total for timed in roomy.machines[0].durations}
    assert set(on_small) == {card.name for card in CARDS}
    for card, span in on_small.items():
        assert 0 < span.low < span.high
        assert on_large[card].high < span.high
    # Ditto's authors: about 4 minutes on an A6000 with 38 blocks swapped, loading included.
    swapping = plan(machine=replace(SMALL_CARD, vram=7 * GIB)).machines[0]
    assert swapping.memory.streamed_blocks in (38, 39)
    timed = next(one for one in swapping.durations if one.card == "RTX A6000")
    assert timed.total.low < 240 < 1.1 * (timed.total + timed.first_load).high


def follow(option: str, value: str, job: Job, offload: Offload) -> tuple[Job, Offload, str]:
    if option == "--frames":
        return replace(job, frames=int(value)), offload, "auto"
    if option == "--size":
        width, height = map(int, value.split("x"))
        return replace(job, size=(height, width)), offload, "auto"
    return (job, "stream", "auto") if option == "--offload" else (job, offload, "fp8")


@pytest.mark.parametrize(
    ("job", "vram_gib", "ram_gib", "offload", "expected"),
    [
        (JOB, 12, 32, "none", {"--offload"}),
        (JOB, 3, 32, "auto", {"--frames", "--size"}),
        (Job(VACE, 81, (480, 832)), 24, 64, "none", {"--offload", "--dtype"}),
        (Job(DITTO, 161, (720, 1280)), 8, 64, "auto", {"--frames", "--size"}),
        (Job(DITTO, 881, (480, 832)), 80, 8, "auto", {"--frames", "--size"}),
    ],
)
def test_advice_makes_it_fit(
    job: Job, vram_gib: int, ram_gib: int, offload: Offload, expected: set[str]
) -> None:
    machine = Machine("m", ram=ram_gib * GIB, vram=vram_gib * GIB)
    made = plan(job, machine, offload).machines[0]
    assert not made.fits
    assert made.missing
    assert expected <= {advice.option for advice in made.advice}
    for advice in made.advice:
        changed, way, dtype = follow(advice.option, advice.value, job, offload)
        if "together" not in advice.text and "--offload" not in advice.text.removeprefix("--offload"):
            assert plan(changed, machine, way, dtype).machines[0].fits, advice.text


def test_advice_names_the_longest_clip() -> None:
    machine = Machine("m", ram=64 * GIB, vram=8 * GIB)
    job = Job(DITTO, 161, (720, 1280))
    frames = next(int(a.value) for a in plan(job, machine).machines[0].advice if a.option == "--frames")
    assert not plan(replace(job, frames=frames + 4), machine).machines[0].fits


def test_a_hopeless_machine_is_told_so() -> None:
    made = plan(machine=Machine("tiny", ram=32 * GIB, vram=GIB))
    assert made.machines[0].advice == ()
    assert "No setting makes" in report(made)
    assert not made.machines[0].durations


def test_jobs_that_no_edit_could_be_are_refused() -> None:
    for wrong, words in (
        ({"frames": 74}, "73 or 77"),
        ({"size": (480, 830)}, "832x480"),
        ({"references": -1}, "number of references is -1"),
        ({"contexts": 0}, "at once is 0"),
        ({"recipe": replace(DITTO, steps=0)}, "denoising steps is 0"),
    ):
        with pytest.raises(BadInput, match=words):
            replace(JOB, **wrong)


def test_unknown_models_need_their_files() -> None:
    backbone = replace(DITTO.files[0], names=("other.safetensors",), size="")
    with pytest.raises(BadInput, match=r"other\.safetensors.*name the models folder"):
        models_of(replace(DITTO, files=(backbone, *DITTO.files[1:])), {})


@pytest.mark.parametrize(
    "machine", [SMALL_CARD, Machine("tiny", 8 * GIB, 2 * GIB), Machine("no card", 64 * GIB)]
)
def test_the_words_on_a_node_are_those_of_the_terminal_without_columns_and_dashes(machine: Machine) -> None:
    made = plan(machine=machine)
    node, told = report_for_node(made), report(made)
    assert "at half the size" in node
    assert "  " not in node
    assert " --" not in node
    assert "tokens: 29,640 = 19 x 30 x 52" in node.splitlines()
    for mark in ("--", ":"):
        told, node = told.replace(mark, " "), node.replace(mark, " ")
    assert node.split() == told.split()


def test_forwards_at_half_the_size_take_less_than_the_others() -> None:
    assert "8 in 4 steps, 1,745.7 TFLOP each" in report(plan())
    half = plan(replace(JOB, recipe=DITTO.begun_at_half_size(1)))
    assert "8 in 4 steps, 1,745.7 TFLOP at most" in report(half)
    assert half.work.denoise.total < plan().work.denoise.total


def test_a_picture_without_and_with_reasoning_by_hand() -> None:
    """222 and 1,390 TFLOP a forward of two and of eight latent frames; two forwards a step with guidance."""
    plain, reasoning = recipe("chronoedit"), recipe("chronoedit-reasoning")
    jobs = [Job(one, one.frames, (720, 1280)) for one in (plain, reasoning)]
    assert [job.grid.tokens for job in jobs] == [7200, 28_800]
    works = [count_work(job, models_of(job.recipe, {})) for job in jobs]
    pair, film = (work.forward.total for work in works)
    assert round(pair / 1e12) == 222
    assert round(film / 1e13) == 139
    assert works[0].denoise.total == 100 * pair
    assert works[1].denoise.total == 20 * film + 80 * pair
    made = plan(jobs[1])
    assert {one.steps: one.denoise for one in made.reasoning} == {
        steps: 2 * (steps * film + (50 - steps) * pair) for steps in (0, 5, 10, 20, 50)
    }
    assert [round(one.times_plain, 2) for one in made.reasoning] == [1.0, 1.52, 2.05, 3.1, 6.25]
    assert made.as_dict()["reasoning"][2] == {
        "steps": 10,
        "tflop": (20 * film + 80 * pair) / 1e12,
        "times_plain": (20 * film + 80 * pair) / (100 * pair),
    }
    text = report(made)
    assert "28,800 = 8 x 45 x 80" in text
    assert "from step 10 on 7,200, 222.4 TFLOP each forward" in text
    assert "2.4 GB picture encoder" in text
    assert made.models.num_parameters == 16_394_878_784


def test_the_film_of_a_picture_is_decoded_apart_from_its_edit() -> None:
    vae = models_of(recipe("chronoedit"), {}).vae
    size = (720, 1280)

    def decoded(steps: int) -> int:
        record = recipe("chronoedit").reasoning_for(steps)
        return count_work(Job(record, record.frames, size), models_of(record, {})).decode

    assert decoded(0) == decoded(10) == vae.decode_flops(5, size)
    assert decoded(50) == vae.decode_flops(25, size) + vae.decode_flops(5, size)


def test_a_picture_has_no_length_of_its_own() -> None:
    with pytest.raises(BadInput, match="works on 5 frames for each picture, not on 9"):
        Job(recipe("chronoedit"), 9, (720, 1280))
    tight = Machine("tiny", ram=64 * GIB, vram=2 * GIB)
    made = plan(Job(recipe("chronoedit-reasoning"), 29, (720, 1280)), tight, dtype="bf16")
    assert all(advice.option != "--frames" for advice in made.machines[0].advice)


def test_cards_that_share_an_edit_have_a_part_of_its_tokens_each() -> None:
    ditto = recipe("ditto-global")
    models = models_of(ditto, {})
    alone, shared = (Job(ditto, 73, (480, 832), cards=cards) for cards in (1, 4))
    assert (alone.tokens_here, shared.tokens_here) == (29_640, 7_410)
    # 40 blocks of the backbone and 8 of the module send queries, keys, values and results in bf16, but for their own heads.
    assert shared.sent_bytes(models) == 48 * 4 * 7_410 * 5_120 * 2 * 3 // 4
    assert alone.sent_bytes(models) == 0
    assert count_work(alone, models) == count_work(shared, models)
    one, four = (
        plan_memory(job, models, placement="resident", vram=80 * GIB).stages[2] for job in (alone, shared)
    )
    assert one.weights == four.weights
    assert one.activations / 4 < four.activations < one.activations / 2
    with pytest.raises(BadInput, match="the number of cards that share the edit is 0"):
        Job(ditto, 73, (480, 832), cards=0)
