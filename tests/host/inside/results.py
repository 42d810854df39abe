"""What is left of a run: names, the workflow in the film, the record beside it; several edits and their sheet."""

from __future__ import annotations

import json
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import folder_paths
import numpy as np
import torch
from bad_input import refused
from comfy.cli_args import args
from comfy_api.internal import make_locked_method_func
from comfy_api.latest import InputImpl, io
from comfy_execution.utils import CurrentNodeContext
from long_clips import LENGTH, LongVae, edited, edited_video, film, graph
from looks import told
from nodes_alone import EchoVae, _fitted, _video
from tiny import call, frames

import nodes
from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.media.beside import MAX_NAME_BYTES
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.recipes.ditto_styles import DITTO_STYLES

FPS = 8


def _pictures(path: Path) -> np.ndarray:
    return read_video(path, folder_fps=Fraction(FPS)).frames


def check_a_result_carries_its_workflow_as_those_of_save_video_do():
    """So that the browser opens it when the film is dropped on it; nothing where ComfyUI keeps no metadata."""
    workflow, tried = {"workflow": {"nodes": [{"id": 7}]}}, graph(300)
    args.disable_metadata = False
    try:
        path = edited(
            film("carried", LENGTH), graph=tried, extra=workflow, filename_prefix="reelpatch/carried"
        )
    finally:
        args.disable_metadata = True
    with av.open(str(path)) as container:
        tags = dict(container.metadata)
    assert json.loads(tags["workflow"]) == workflow["workflow"]
    assert json.loads(tags["prompt"]) == tried
    path = edited(film("carried", LENGTH), graph=graph(301), extra=workflow)
    with av.open(str(path)) as container:
        assert not {"workflow", "prompt"} & set(container.metadata)


def check_a_record_says_what_a_result_was_made_with():
    path = edited(film("told", LENGTH), graph=graph(310), filename_prefix="reelpatch/told_make_it_sepia")
    assert path.name == "told_make_it_sepia.mp4"
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["nodes"] == {"7": {"class": "ReelpatchEditLongClip", "inputs": {"seed": 310}}}
    assert (record["clip"], record["frames"]) == ("told.mp4", LENGTH)
    assert record["begun"] <= record["finished"]


def _with_hidden(name, prompt, **inputs):
    """The outputs of a node of a graph, run as ComfyUI runs it."""
    node = nodes.NODE_CLASS_MAPPINGS[name]
    hidden = {io.Hidden.prompt: prompt, io.Hidden.unique_id: "7", io.Hidden.extra_pnginfo: None}
    return make_locked_method_func(node, "execute", node.PREPARE_CLASS_CLONE({"hidden_inputs": hidden}))(
        **inputs
    ).result


def _saved(video, prefix):
    _with_hidden("SaveVideo", {}, video=video, filename_prefix=prefix, format="auto")


def check_what_save_video_writes_has_its_record_beside_it():
    """Of frames and of a kept film; neither in other folders, nor where ComfyUI keeps no metadata."""
    images, video = _video(num_frames=5, size=(32, 48))
    clip, samples = _fitted(video)[0], {"samples": torch.zeros(1, 16, 2, 4, 6)}
    asked = {
        "7": {"class_type": "ReelpatchFinishClip", "inputs": {"seed": 330, "recipe": "demo", "text": ""}}
    }
    made, _ = _with_hidden("ReelpatchFinishClip", asked, samples=samples, vae=EchoVae(images), clip=clip)
    kept = edited_video(film("kept", LENGTH), graph=graph(331), filename_prefix="reelpatch/kept")
    output, elsewhere = (
        Path(folder_paths.get_output_directory()) / "beside",
        Path(folder_paths.get_temp_directory()),
    )
    elsewhere.mkdir(exist_ok=True)
    args.disable_metadata = False
    try:
        for result, name in ((made, "made"), (kept, "kept")):
            _saved(result, f"beside/{name}")
            result.save_to(str(elsewhere / f"{name}.mp4"))
    finally:
        args.disable_metadata = True
    of_made, of_kept = (
        json.loads((output / f"{name}_00001_.json").read_text(encoding="utf-8")) for name in ("made", "kept")
    )
    assert of_made.pop("finished")
    assert of_made.pop("reelpatch")
    graph_told = {"7": {"class": "ReelpatchFinishClip", "inputs": asked["7"]["inputs"]}}
    measures = {"frames": 5, "size": [48, 32], "frames per second": "10"}
    assert of_made == {**measures, "recipe": "demo", "seed": 330, "nodes": graph_told}
    assert (of_kept["clip"], of_kept["seed"], of_kept["frames"]) == ("kept.mp4", 331, LENGTH)
    assert "mark" not in of_kept, "the graph would take the copy for its own"
    assert not list(elsewhere.glob("made.json")) + list(elsewhere.glob("kept.json"))
    for result, name in ((made, "made"), (kept, "kept")):
        _saved(result, f"beside/{name}")
        assert (output / f"{name}_00002_.mp4").is_file()
        assert not (output / f"{name}_00002_.json").exists()


def check_a_record_of_somebody_s_is_not_written_over():
    images, video = _video(num_frames=5, size=(32, 48))
    clip, samples = _fitted(video)[0], {"samples": torch.zeros(1, 16, 2, 4, 6)}
    made, _ = _with_hidden("ReelpatchFinishClip", graph(340), samples=samples, vae=EchoVae(images), clip=clip)
    mine = Path(folder_paths.get_output_directory()) / "somebody.json"
    mine.write_text("{}", encoding="utf-8")
    args.disable_metadata = False
    try:
        made.save_to(str(mine.with_suffix(".mp4")))
    finally:
        args.disable_metadata = True
    assert mine.with_suffix(".mp4").is_file()
    assert mine.read_text(encoding="utf-8") == "{}"


def check_a_film_stays_whose_record_cannot_be_written():
    """Such as one with the longest name that a file may have: its record's is longer."""
    images, video = _video(num_frames=5, size=(32, 48))
    clip, samples = _fitted(video)[0], {"samples": torch.zeros(1, 16, 2, 4, 6)}
    made, _ = _with_hidden("ReelpatchFinishClip", graph(341), samples=samples, vae=EchoVae(images), clip=clip)
    film = Path(folder_paths.get_output_directory()) / f"{'x' * (MAX_NAME_BYTES - len('.mp4'))}.mp4"
    args.disable_metadata = False
    try:
        made.save_to(str(film))
    finally:
        args.disable_metadata = True
    assert film.is_file()


def check_another_graph_gets_another_name_and_the_same_one_its_result():
    video, prefix = film("twice", LENGTH), "reelpatch/twice"
    first = edited(video, graph=graph(320), filename_prefix=prefix)
    second = edited(video, graph=graph(321), filename_prefix=prefix)
    assert (first.name, second.name) == ("twice.mp4", "twice_2.mp4")
    for seed, path in ((320, first), (321, second)):
        vae = LongVae()
        assert edited(video, graph=graph(seed), filename_prefix=prefix, vae=vae) == path
        assert not vae.decoded
    # What was taken away frees its name; a file of somebody's keeps it.
    first.unlink()
    assert edited(video, graph=graph(322), filename_prefix=prefix).name == "twice.mp4"
    mine = first.parent / "mine.json"
    mine.write_text("{}", encoding="utf-8")
    assert edited(video, graph=graph(323), filename_prefix="reelpatch/mine").name == "mine_2.mp4"
    assert mine.read_text(encoding="utf-8") == "{}"


def check_a_run_that_fails_at_once_leaves_no_record():
    class Broken(LongVae):
        def decode(self, _latents):
            raise RuntimeError("no")

    with suppress(RuntimeError):
        edited(film("failed", LENGTH), graph=graph(330), vae=Broken(), filename_prefix="reelpatch/failed")
    folder = Path(folder_paths.get_output_directory()) / "reelpatch"
    assert not [path for path in folder.glob("failed*.json") if not list(folder.glob("failed*.windows"))]


def check_each_item_of_a_list_has_a_result_of_its_own():
    """ComfyUI runs a node once for each item, with one graph for all."""
    video, tried = film("listed", LENGTH), graph(340)
    made = []
    for number in range(3):
        with CurrentNodeContext("prompt", "7", number):
            made.append(edited(video, graph=tried, seed=number, filename_prefix="reelpatch/listed"))
    assert len(set(made)) == 3
    assert len({path.read_bytes() for path in made}) == 3
    with CurrentNodeContext("prompt", "7", 2):
        assert edited(video, graph=tried, seed=2, filename_prefix="reelpatch/listed") == made[2]


def check_a_trimmed_video_is_edited_as_that_part_of_it():
    whole = film("trimmed", LENGTH)
    part = whole.as_trimmed(0.5, 1.0)  # frames 4 to 11 of 8 a second
    path = edited(part, graph=graph(350))
    assert len(_pictures(path)) == 8
    (stored,) = (Path(folder_paths.get_temp_directory()) / "reelpatch").glob("trimmed_*.mkv")
    assert np.array_equal(_pictures(stored), _pictures(Path(whole.get_stream_source()))[4:12])
    vae = LongVae()
    assert edited(whole.as_trimmed(0.5, 1.0), graph=graph(350), vae=vae) == path
    assert not vae.decoded


def check_names_are_of_the_clip_and_the_instruction():
    video = film("my holiday (1)", 5)
    name = call("ReelpatchResultName", video=video, instruction="Make it \\(sepia\\)!", folder="video")
    assert name == ("video/my_holiday_1_make_it_sepia", "reelpatch/my_holiday_1_make_it_sepia")
    assert call("ReelpatchResultName", instruction="", folder="")[0] == "edited"
    assert call("ReelpatchResultName", instruction="变成水彩", folder="")[0] == "变成水彩"
    (long, _) = call("ReelpatchResultName", video=video, instruction="变" * 500, folder="")
    assert len(long.encode()) <= 150
    assert edited(video, graph=graph(360), filename_prefix=f"reelpatch/{long}").is_file()


def check_styles_are_ditto_s_with_brackets_escaped():
    assert len(set(DITTO_STYLES)) == 37
    assert call("ReelpatchDittoStyle", style=DITTO_STYLES[2]) == (
        "Make it Steampunk style \\(mechanical with gears, pipes and brass details\\).",
    )
    assert call("ReelpatchDittoStyle", style="Make it a Claymation.") == ("Make it a Claymation.",)


def check_several_edits_are_every_combination():
    clips = {"video_0": film("one", 5), "video_1": film("two", 5)}
    made = call("ReelpatchSeveral", videos=clips, instructions="a\n\n b \n", seeds="3-4, 9")
    videos, words, seeds, labels = made
    assert words == [*["a"] * 3, *["b"] * 3] * 2
    assert seeds == [3, 4, 9] * 4
    assert videos == [clips["video_0"]] * 6 + [clips["video_1"]] * 6
    assert labels[0] == "one.mp4: a, seed 3"
    assert labels[-1] == "two.mp4: b, seed 9"
    for wrong, said in (
        ("x", "'x' in seeds"),
        ("4-1", "'4-1' in seeds"),
        ("", "'' in seeds"),
        ("1-999", "more than 256"),
    ):
        refused(partial(_several, clips, "a", wrong), said)
    refused(partial(_several, clips, "\n", "1"), "there is no instruction")
    refused(partial(_several, clips, "a", "1-256"), "these are 512 edits")
    refused(partial(_several, {"video_0": None}, "a", "1"), "no clip is connected")


def _several(clips, instructions, seeds):
    return call("ReelpatchSeveral", videos=clips, instructions=instructions, seeds=seeds)


def check_a_sheet_has_a_row_for_each_result():
    shown = [film("sheet", LENGTH), frames(9)]
    (one,) = call("ReelpatchContactSheet", results=shown[:1], columns=[3])
    (two,) = call("ReelpatchContactSheet", results=shown, labels=["a", "b"], sources=shown, columns=[3])
    assert two.shape[1] > 1.8 * one.shape[1]
    assert two.shape[2] > 1.2 * one.shape[2]  # the source stands in front
    assert two.dtype == torch.float32
    assert float(one.std()) > 0.05


def _smooth(name: str, level: float) -> InputImpl.VideoFromFile:
    """A film that codecs keep: a ramp that moves; its brightness is about `level`."""
    ramp = torch.linspace(0, 0.5, 48).expand(32, 48)
    images = torch.stack([level + 0.5 * ramp.roll(index, 1) for index in range(LENGTH)])[..., None].expand(
        -1, -1, -1, 3
    )
    path = Path(folder_paths.get_input_directory()) / f"{name}.mp4"
    write_video(Video(to_bytes(images), Fraction(FPS)), path, crf=0)
    return InputImpl.VideoFromFile(str(path))


def check_compare_reads_files_frame_by_frame():
    """The film has every frame of both, each where it says."""
    before, after = _smooth("before", 0.2), _smooth("after", 0.6)
    ((film_,),) = (told("ReelpatchCompare", before=before, after=after)[0]["reelpatch_compare"],)
    assert (film_["frames"], film_["fps"], film_["source"]) == (LENGTH, 8.0, (48, 32))
    made = _pictures(Path(folder_paths.get_temp_directory()) / film_["filename"]).astype(int)
    left, top = film_["after"]
    width, height = film_["width"], film_["height"]
    for clip, shown in (
        (before, made[:, :height, :width]),
        (after, made[:, top : top + height, left : left + width]),
    ):
        assert abs(shown - _pictures(Path(clip.get_stream_source()))).mean() < 2  # the codec's loss, of 255
    ((short,),) = (told("ReelpatchCompare", before=before, after=film("short", 5))[0]["reelpatch_compare"],)
    assert short["frames"] == 5
