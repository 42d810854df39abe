"""What a long run has finished, window by window beside the result, so that it can be stopped and go on.

A window counts as finished once the state names it with the digests of its files, which is the last thing that happens to
it. What does not have its digest any more was damaged, and is made again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.frame import VideoFrame
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.media.beside import windows_folder
from reelpatch.media.checksums import digest_of
from reelpatch.media.decoding import decoded_frames
from reelpatch.media.frame_colour import Frames
from reelpatch.media.opening import opened
from reelpatch.media.saving import not_written, saved_at

_STATE = "state.json"
_RATE = Fraction(25)  # of the parts, where no one looks at it
_Digests = dict[str, str]  # of a window's files, by their suffix


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
        self._digests: dict[int, _Digests] = {}
        self._sound: set[int] = set()
        self.leftover: tuple[str, ...] = ()  # what was different in a run whose windows were thrown away
        self.is_unreadable = False  # what was there, and was thrown away for it
        self.damaged: tuple[int, ...] = ()  # windows of this run that are to be made again

    @property
    def num_finished(self) -> int:
        """How many windows are finished and sound."""
        return len(self._sound)

    def open(self) -> int:
        """Makes the folder ready; returns how many windows of this run are finished and sound in it.

        Raises: `BadInput` where the folder cannot be made or holds something else.
        """
        if self.folder.exists() and not self._is_ours():
            raise BadInput(
                f"{self.folder} is in the way: it is where finished windows are kept, but holds something else; move it "
                "away, or name another output."
            )
        found = self._found()
        if found is not None and found["run"] == self._run:
            self._digests = {int(number): digests for number, digests in found["windows"].items()}
            self._sound = {number for number in self._digests if self._has_its_digests(number)}
            self.damaged = tuple(sorted(self._digests.keys() - self._sound))
            return self.num_finished
        if found is not None:
            names = sorted({*found["run"], *self._run})
            self.leftover = tuple(name for name in names if found["run"].get(name) != self._run.get(name))
        elif any(self.folder.glob("*.mkv")):
            self.is_unreadable = True
        self._begin()
        return 0

    def was_finished(self, number: int) -> bool:
        """Whether whoever is at work in the folder has finished a window; what is not known counts as no."""
        found = self._found()
        return found is not None and str(number) in found["windows"]

    def is_finished(self, number: int) -> bool:
        """Whether a window need not be made."""
        return number in self._sound

    def add(self, number: int, window: FinishedWindow) -> None:
        """Keeps a window. Raises: `BadInput` where it cannot be written; nothing is half kept then."""
        self._check_folder()
        try:
            self._add(number, window)
        except BadInput:
            self._check_folder()  # taken away while it was written to
            raise

    def _check_folder(self) -> None:
        if not self.folder.is_dir():
            raise BadInput(
                f"{self.folder}, where finished windows are kept, was taken away during the run: put it back, or give "
                "the same command once more, which begins anew."
            )

    def _add(self, number: int, window: FinishedWindow) -> None:
        before = self._digests.get(number, {})
        digests: _Digests = {}
        if window.carried:
            tensors = {name: tensor.contiguous() for name, tensor in window.carried.items()}
            with saved_at(self._carried(number)) as part:
                part.write_bytes(save(tensors))
                digests[".safetensors"] = digest_of(part)
        with saved_at(self._pictures(number)) as part:
            _write_lossless(window.pictures, part)
            digests[".mkv"] = digest_of(part)
        self._digests[number] = digests
        self._sound.add(number)
        if before.get(".safetensors") != digests.get(".safetensors"):
            self._forget_after(number)
        self._write_state()

    def carried(self, number: int) -> dict[str, Tensor]:
        """What a finished window left for the next one. Raises: `BadInput` where it was damaged or taken away."""
        self._check(number)
        try:
            return load(self._carried(number).read_bytes())  # `load_file` takes no name that is not UTF-8
        except (OSError, SafetensorError) as error:
            raise BadInput(self._lost(number)) from error

    def pictures(self, number: int) -> Iterator[Frames]:
        """The new pictures of a finished window, [H, W, 3] each. Raises: `BadInput` as `carried`."""
        self._check(number)
        path = self._pictures(number)
        with opened(path) as container:
            for frame in decoded_frames(container, container.streams.video[0], path):
                picture: Any = frame.to_ndarray(format="rgb24")
                yield picture

    def remove(self) -> None:
        """Takes the folder away with all that was put into it. Raises: `BadInput` where that is not allowed."""
        try:
            if self.folder.exists():
                for path in self.folder.iterdir():
                    path.unlink(missing_ok=True)
                self.folder.rmdir()
        except OSError as error:
            raise not_written(error, self.folder, "output") from error

    def _is_ours(self) -> bool:
        if not self.folder.is_dir():
            return False
        own = (".mkv", ".safetensors", ".json", ".part")
        return all(path.is_file() and path.suffix in own for path in self.folder.iterdir())

    def _found(self) -> dict[str, Any] | None:
        """The state of a run that was here; None where there was none, or it cannot be read."""
        try:
            state = json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        is_known = isinstance(state, dict) and {"run", "windows"} <= state.keys()
        return state if is_known else None

    def _begin(self) -> None:
        """An empty folder with the state of a run of which nothing is finished."""
        self.remove()
        try:
            self.folder.mkdir()
        except OSError as error:
            raise not_written(error, self.folder, "output") from error
        self._write_state()

    def _write_state(self) -> None:
        state = {"run": self._run, "windows": self._digests}
        with saved_at(self.folder / _STATE) as part:
            part.write_text(json.dumps(state, indent=1), encoding="utf-8")

    def _forget_after(self, number: int) -> None:
        """Later windows went on from something else than what this one leaves now."""
        self._digests = {one: digests for one, digests in self._digests.items() if one <= number}
        self._sound &= self._digests.keys()

    def _has_its_digests(self, number: int) -> bool:
        try:
            return all(
                digest_of(self.folder / f"{number:05d}{suffix}") == digest
                for suffix, digest in self._digests[number].items()
            )
        except OSError:
            return False

    def _check(self, number: int) -> None:
        if not self._has_its_digests(number):
            self._sound.discard(number)
            raise BadInput(self._lost(number))

    def _lost(self, number: int) -> str:
        return (
            f"window {number + 1} in {self.folder} was damaged or taken away during the run: give the same command once "
            "more, which makes it again."
        )

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
