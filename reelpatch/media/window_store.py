"""What a long run has finished, window by window beside the result, so that it can be stopped and go on.

A window counts as finished once its pictures stand under their name, which is the last thing that happens to it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.frame import VideoFrame
from safetensors.torch import load_file, save_file
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.media.beside import windows_folder
from reelpatch.media.decoding import decoded_frames
from reelpatch.media.frame_colour import Frames
from reelpatch.media.opening import opened
from reelpatch.media.saving import saved_at

_STATE = "state.json"
_RATE = Fraction(25)  # of the parts, where no one looks at it


@dataclass(frozen=True)
class FinishedWindow:
    """New pictures [n, H, W, 3] that go into the result, and what the next window needs of this one."""

    pictures: Frames
    carried: Mapping[str, Tensor]


class WindowStore:
    """The finished windows of one run, in a folder beside its result.

    `run` is everything that decides what the windows hold, in plain types: what another run left is not taken up.
    """

    def __init__(self, target: Path, run: Mapping[str, Any]) -> None:
        self.folder = windows_folder(target)
        self._run = json.loads(json.dumps(run))
        self.leftover: tuple[str, ...] = ()  # what was different in a run whose windows were thrown away

    def open(self) -> int:
        """Makes the folder ready; returns how many windows of this run are finished in it.

        Raises: `BadInput` where the folder cannot be made or holds something else.
        """
        if self.folder.exists() and not self._is_ours():
            raise BadInput(
                f"{self.folder} is in the way: it is where finished windows are kept, but holds something else; move it "
                "away, or name another output."
            )
        found = self._found()
        if found == self._run:
            return self._count()
        if found is not None:
            names = sorted({*found, *self._run})
            self.leftover = tuple(name for name in names if found.get(name) != self._run.get(name))
        self.remove()
        with saved_at(self.folder / _STATE) as part:
            self.folder.mkdir(exist_ok=True)
            part.write_text(json.dumps(self._run, indent=1), encoding="utf-8")
        return 0

    def add(self, number: int, window: FinishedWindow) -> None:
        """Keeps a window. Raises: `BadInput` where there is no room for it; nothing is half kept then."""
        if window.carried:
            with saved_at(self._carried(number)) as part:
                save_file({name: tensor.contiguous() for name, tensor in window.carried.items()}, part)
        with saved_at(self._pictures(number)) as part:
            _write_lossless(window.pictures, part)
        if number:
            self._carried(number - 1).unlink(missing_ok=True)

    def carried(self, number: int) -> dict[str, Tensor]:
        """What the last finished window left for the next one."""
        return load_file(self._carried(number))

    def pictures(self, number: int) -> Iterator[Frames]:
        """The new pictures of a finished window, [H, W, 3] each."""
        path = self._pictures(number)
        with opened(path) as container:
            for frame in decoded_frames(container, container.streams.video[0], path):
                picture: Any = frame.to_ndarray(format="rgb24")
                yield picture

    def remove(self) -> None:
        """Takes the folder away with all that was put into it."""
        if not self.folder.exists():
            return
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def _is_ours(self) -> bool:
        if not self.folder.is_dir():
            return False
        own = (".mkv", ".safetensors", ".json", ".part")
        return all(path.is_file() and path.suffix in own for path in self.folder.iterdir())

    def _found(self) -> dict[str, Any] | None:
        try:
            return json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _count(self) -> int:
        number = 0
        while self._pictures(number).exists():
            number += 1
        return number

    def _pictures(self, number: int) -> Path:
        return self.folder / f"{number:05d}.mkv"

    def _carried(self, number: int) -> Path:
        return self.folder / f"{number:05d}.safetensors"


def _write_lossless(pictures: Frames, path: Path) -> None:
    """FFV1 in RGB, of which every bit comes back."""
    with av.open(path, "w", format="matroska") as output:
        stream: Any = output.add_stream("ffv1", rate=_RATE, options={"level": "3", "slicecrc": "1"})
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "bgr0"
        for picture in pictures:
            output.mux(
                stream.encode(VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0"))
            )
        output.mux(stream.encode(None))
