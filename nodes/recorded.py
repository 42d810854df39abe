"""Videos that write what they were made with beside them, as JSON, wherever in the output folder a node saves them."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import folder_paths
from comfy.cli_args import args
from comfy_api.latest import InputImpl, Types, io

import reelpatch
from reelpatch.errors import BadInput

from .graph_facts import asked_in, graph_of, item_of_list
from .result_record import Record, is_free_for_record

_log = logging.getLogger("reelpatch")
About = Mapping[str, Any]


class RecordedClip(InputImpl.VideoFromComponents):
    """Frames in memory; Save Video writes them, and this their record."""

    def __init__(self, components: Types.VideoComponents, about: About) -> None:
        super().__init__(components)
        self._about = about

    def save_to(self, path: Any, *how: Any, **more: Any) -> None:
        """As the host does it, and the record."""
        super().save_to(path, *how, **more)
        _write_beside(path, self._about)


class RecordedFile(InputImpl.VideoFromFile):
    """A film that a node has kept; Save Video writes a copy, and this its record."""

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(str(path))
        self._about = about

    def save_to(self, path: Any, *how: Any, **more: Any) -> None:
        """As the host does it, and the record."""
        super().save_to(path, *how, **more)
        _write_beside(path, self._about)


def recorded(node: type[io.ComfyNode], components: Types.VideoComponents) -> InputImpl.VideoFromComponents:
    """A node's result with what it was made with; without, where the node is not part of a graph."""
    if node.hidden is None or not node.hidden.prompt:
        return InputImpl.VideoFromComponents(components)
    num_frames, height, width, _ = components.images.shape
    graph = graph_of(node)
    about = {
        **{"reelpatch": reelpatch.__version__, "frames": num_frames, "size": [width, height]},
        **{"frames per second": str(components.frame_rate), **asked_in(graph)},
        **{**item_of_list(), "nodes": graph},
    }
    return RecordedClip(components, about)


def _write_beside(path: Any, about: About) -> None:
    """Nothing for films that are not kept, and where ComfyUI is told to keep no metadata. The film stays if this fails."""
    if args.disable_metadata or not isinstance(path, str | os.PathLike):
        return
    target = Path(path).resolve()
    if not target.is_relative_to(Path(folder_paths.get_output_directory()).resolve()):
        return
    record = Record(target, about)
    try:
        if is_free_for_record(record.path):
            record.finish()
        else:
            _log.warning(
                "%s is not ours: what %s was made with is not written.", record.path.name, target.name
            )
    except (BadInput, OSError) as error:
        _log.warning("what %s was made with cannot be written beside it (%s).", target.name, error)
