"""Fetches the weight files of a recipe that are missing, through Hugging Face's client, when asked to.

`hf_hub_download` of huggingface_hub 2.4 throws away what has arrived when the line breaks, which is many gigabytes here;
`http_get` below it goes on from where it stopped.
"""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from huggingface_hub import HfFileMetadata, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from reelpatch.errors import BadInput
from reelpatch.recipes import WeightFile

_log = logging.getLogger(__name__)

PARTIAL = ".part"
_SHA256 = re.compile(r"[0-9a-f]{64}")  # what the hub gives as ETag of large files
_READ_BYTES = 16 * 1024**2
_HUB_PATH = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


@dataclass(frozen=True)
class Download:
    """One file on the hub, and where it goes."""

    url: str
    target: Path
    metadata: HfFileMetadata
    sha256: str = ""  # as the recipe knows it

    @property
    def partial(self) -> Path:
        """Where it is collected; a later run goes on from there."""
        return self.target.with_name(self.target.name + PARTIAL)

    @property
    def num_missing_bytes(self) -> int:
        collected = self.partial.stat().st_size if self.partial.is_file() else 0
        return max(0, (self.metadata.size or 0) - collected)


def download(files: Sequence[WeightFile], folder: Path, *, allows_http: bool = False) -> tuple[Path, ...]:
    """Fetches files into their places in a models folder, and returns those.

    The sizes and the room on the disk are told before the first byte is fetched. A file is collected under a name
    of its own, from where an interrupted download goes on, and gets its final one when it is complete and its
    checksum is the recipe's where it records one, else the hub's.

    Raises: `BadInput` for an endpoint (`HF_ENDPOINT`) without https unless `allows_http`, too little room, a file or a hub that does not answer, and a wrong checksum.
    """
    plan = [_planned(file, folder, allows_http=allows_http) for file in dict.fromkeys(files)]
    plan = list({one.target: one for one in plan}.values())  # VDOT's one file has two roles
    _check_room(plan, folder)
    try:
        for one in plan:
            _fetch(one)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped; what was fetched is kept in {folder}, and the same command goes on where it stopped."
        ) from None
    return tuple(one.target for one in plan)


def _planned(file: WeightFile, folder: Path, *, allows_http: bool) -> Download:
    url = hub_url(file.url, file.revision)
    if urlsplit(url).scheme != "https" and not allows_http:
        raise BadInput(
            f"{url} is not fetched over https, so that anyone on the way could change it: set HF_ENDPOINT to an address "
            "that begins with https, or allow it (--allow-http)."
        )
    try:
        metadata = get_hf_file_metadata(url)
    except HfHubHTTPError as error:
        raise BadInput(
            f"{url} can't be fetched (HTTP {error.response.status_code}): log in with `hf auth login` if the page asks "
            "for it, or get the file by hand."
        ) from error
    except Exception as error:  # the client lets the errors of its HTTP library through
        raise BadInput(f"{url} can't be reached ({_first_line(error)}): check the network.") from error
    return Download(url, folder / file.folder / file.names[0], metadata, file.sha256)


def hub_url(url: str, revision: str = "") -> str:
    """The link at the endpoint that Hugging Face's client is set to (`HF_ENDPOINT`), to a revision other than its own."""
    parts = _HUB_PATH.fullmatch(unquote(urlsplit(url).path))
    if parts is None:
        raise BadInput(f"{url or 'a file of this package'} is no file on Hugging Face: get it by hand.")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    return hf_hub_url(
        parts["repository"], parts["file"], revision=revision or parts["revision"], endpoint=endpoint
    )


def _check_room(plan: Sequence[Download], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = sum(one.num_missing_bytes for one in plan), shutil.disk_usage(folder).free
    names = ", ".join(f"{one.target.name} ({_gb(one.metadata.size or 0)})" for one in plan)
    told = f"{names}: {_gb(needed)} to fetch into {folder}, where {_gb(free)} are free"
    if needed > free:
        raise BadInput(f"{told}: make room, or name another folder (--models).")
    _log.info("%s.", told)


def _fetch(one: Download) -> None:
    one.target.parent.mkdir(parents=True, exist_ok=True)
    collected = one.partial.stat().st_size if one.partial.is_file() else 0
    if collected > (one.metadata.size or collected):
        collected = 0  # another version's
    try:
        with one.partial.open("r+b" if collected else "wb") as file:
            file.seek(collected)
            http_get(
                one.url,
                file,
                resume_size=collected,
                headers=build_hf_headers(),
                expected_size=one.metadata.size,
                displayed_filename=one.target.name,
            )
    except Exception as error:  # the client lets the errors of its HTTP library through
        raise BadInput(
            f"the download of {one.target.name} broke off ({_first_line(error)}): run the same command again, and it "
            "goes on where it stopped."
        ) from error
    _check_content(one)
    one.partial.replace(one.target)


def _check_content(one: Download) -> None:
    num_bytes = one.partial.stat().st_size
    if one.metadata.size is not None and num_bytes < one.metadata.size:
        raise BadInput(
            f"the download of {one.target.name} broke off after {num_bytes} of {one.metadata.size} bytes: run the same "
            "command again, and it goes on where it stopped."
        )
    expected = one.sha256 or one.metadata.etag or ""
    if not _SHA256.fullmatch(expected):
        return
    digest = hashlib.sha256()
    with one.partial.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        one.partial.unlink()
        raise BadInput(
            f"{one.target.name} arrived damaged (its checksum is not the {'recipe' if one.sha256 else 'hub'}'s) and was deleted: run the same command "
            "again."
        )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.3g} GB"
