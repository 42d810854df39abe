"""What an edit of pictures reads and where its results go, found before weights are loaded."""

from dataclasses import dataclass
from pathlib import Path

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.mask_cover import Cover
from reelpatch.edits.reasoning.worked_picture import WorkedPicture
from reelpatch.errors import BadInput
from reelpatch.headless.runs.picture_request import PictureRequest
from reelpatch.media.mask_file import check_cover, read_mask
from reelpatch.media.pictures import Picture, read_picture
from reelpatch.media.saving import check_folder, check_place
from reelpatch.media.video_write import check_output
from reelpatch.recipes import Recipe


@dataclass(frozen=True, eq=False)
class Material:
    """A picture, read and found to fit its mask, and what of it is worked on."""

    picture: Picture
    worked: WorkedPicture
    said: tuple[str, ...]


def check_outputs(request: PictureRequest) -> None:
    """Raises: `BadInput` for a place that the results cannot have."""
    if request.has_one_result:
        check_place(request.target, ".png", request.inputs)
    else:
        if request.target.suffix.lower() == ".png":
            raise BadInput(
                f"several pictures are made, but {request.target} is the name of one: name a folder (--output)."
            )
        check_folder(request.target, request.inputs)
    if request.reasoning_film is not None:
        check_output(request.reasoning_film, request.inputs, "reasoning_film")


def read_material(request: PictureRequest, path: Path, settings: Recipe) -> Material:
    """One of its pictures and what of it is worked on. Raises: `BadInput` as `read_picture`, `read_mask`, `WorkedPicture`."""
    picture = read_picture(path)
    height, width, _ = picture.pixels.shape
    said = list(picture.said)
    mask = None
    if request.mask is not None:
        mask, words = read_mask(request.mask, request.asked_mask, size=(height, width), lengths=(1,))
        cover = Cover.of(mask)
        check_cover(request.mask, cover, request.asked_mask)
        said.append(f"{words} {cover.describe()}")
    worked = WorkedPicture.of(
        to_floats(picture.pixels),
        mask,
        settings.check_pictures(),
        finishing=request.finishing,
        lattice=settings.lattice,
        area=request.size or (settings.height, settings.width),
        called=str(path),
    )
    return Material(picture, worked, (*said, worked.describe()))
