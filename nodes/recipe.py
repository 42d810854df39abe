"""Recipe: a published method's settings, all of them to be seen and to be overridden."""

from dataclasses import replace

from comfy_api.latest import io

from reelpatch.recipes import RECIPES, Recipe
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.guidance import GuidancePlan
from reelpatch.sampling.solvers import SOLVERS

from .node_message import say
from .sampling import FlowSampler
from .sockets import GUIDANCE


class PublishedRecipe(io.ComfyNode):
    """What a recipe fixes is in the engine; this node hands it out in ComfyUI's types."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchRecipe",
            display_name="Recipe",
            category="reelpatch/sampling",
            description=(
                "The settings of a published method: sampler, sigmas, guidance, negative prompt, strength, and the size "
                "and length it was made for. The text under the node lists them; widgets that are not 0 override."
            ),
            search_aliases=["ditto", "vdot", "vace", "restyle", "preset", "settings", "schedule"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        recipe: str,
        steps: int,
        shift: float,
        cfg: float,
        strength: float = 0.0,
        frames: int = 0,
        fps: float = 0.0,
        guidance_steps: int = 0,
    ) -> io.NodeOutput:
        record = RECIPES[recipe]
        record = replace(record, strength=strength or record.strength)
        chosen_steps, chosen_shift = steps or record.num_run_steps, shift or record.shift
        guided = record.planned_for(steps or None).guided(cfg or None, guidance_steps or None)
        record = replace(record, guidance=guided.guidance, reference_guidance=guided.reference_guidance)
        boundary = record.expert_boundary if record.has_two_experts else None
        plan = GuidancePlan(
            record.guidance,
            record.skip_layers,
            record.reference_guidance,
            boundary,
            record.low_noise_guidance,
        )
        sigmas = sigmas_of(record, steps=chosen_steps, shift=chosen_shift)
        say(cls, _described(record, chosen_steps, chosen_shift, plan))
        return io.NodeOutput(
            FlowSampler(SOLVERS[record.solver], dict(record.solver_options)),
            sigmas,
            plan,
            record.negative_prompt,
            record.strength,
            record.width,
            record.height,
            max(frames, 0) if frames else record.frames,
            max(fps, 0.0) if fps else float(record.fps),
            record.held_frames,
            record.times_in_result,
        )


def _described(record: Recipe, steps: int, shift: float, plan: GuidancePlan) -> str:
    files = "\n".join(f"{file.folder}/{file.names[0]}" for file in record.files)
    return (
        f"{record.title}\n{steps} steps of {record.solver} on the schedule '{record.schedule}', shift {shift:g}; "
        f"{plan.describe()}; strength {record.strength:g}; made for {record.width}x{record.height}, {record.frames} "
        f"frames at {record.fps:g} fps.\nFiles:\n{files}\nLicence: {record.licence}. {record.notes}"
    )


def _inputs() -> list[io.Input]:
    return [
        io.Combo.Input("recipe", options=list(RECIPES), tooltip="The method. It needs the files it names."),
        io.Int.Input(
            "steps",
            default=0,
            min=0,
            max=1000,
            tooltip="Sampling steps; 0 is the recipe's. Distilled methods are made for their own number.",
        ),
        io.Float.Input(
            "shift",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip=(
                "How much of the run is spent at high noise; 0 is the recipe's. Higher changes the picture's "
                "structure more, lower its details."
            ),
        ),
        io.Float.Input(
            "cfg",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip="Guidance scale; 0 is the recipe's, 1 is none. Higher follows the instruction harder.",
        ),
        io.Float.Input(
            "strength",
            default=0.0,
            min=0.0,
            max=10.0,
            step=0.005,
            optional=True,
            tooltip=(
                "How strongly the edit speaks; 0 is the recipe's. Lower it for more freedom from the source clip."
            ),
        ),
        *_more_inputs(),
    ]


def _more_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            "frames",
            default=0,
            min=-1,
            max=10_001,
            optional=True,
            tooltip="How many frames are worked on, for Clip; 0 is the recipe's, -1 is all of the clip's.",
        ),
        io.Float.Input(
            "fps",
            default=0.0,
            min=-1.0,
            max=240.0,
            step=0.01,
            optional=True,
            tooltip="Frames per second to work at, for Clip; 0 is the recipe's, -1 the clip's own rate.",
        ),
        io.Int.Input(
            "guidance_steps",
            default=0,
            min=0,
            max=1000,
            optional=True,
            advanced=True,
            tooltip=(
                "Guidance at so many of the first steps alone: the others cost half, and the result is another. 0 is the recipe's."
            ),
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Sampler.Output(),
        io.Sigmas.Output(),
        GUIDANCE.Output(display_name="guidance", tooltip="For Guidance schedule."),
        io.String.Output(display_name="negative prompt", tooltip="For a text encode node's text."),
        io.Float.Output(display_name="strength", tooltip="For Apply edit."),
        io.Int.Output(display_name="width", tooltip="For Clip: pixels."),
        io.Int.Output(display_name="height", tooltip="For Clip: pixels."),
        io.Int.Output(
            display_name="frames", tooltip="For Clip: the length the method was made for, or the one typed."
        ),
        io.Float.Output(
            display_name="fps", tooltip="For Clip: frames per second it was made for, or those typed."
        ),
        io.Int.Output(
            display_name="held frames",
            tooltip="For Edit long clip: how long its weights were made to be shown an edited frame.",
        ),
        io.Boolean.Output(
            display_name="times in result",
            tooltip="For Edit long clip: whether its model edits all frames, and the result alone obeys the times of a mask.",
        ),
    ]
