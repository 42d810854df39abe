"""SHA-256 of files: of all bytes, or of samples where a file is too large to be read each time."""

import hashlib
from pathlib import Path

_CHUNK_BYTES = 2**20
_NUM_SAMPLES, _SAMPLE_BYTES = 64, 2**16


def digest_of(path: Path) -> str:
    """Of all bytes of a file, in hexadecimal digits. Raises: `OSError`."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def sampled_digest(path: Path) -> str:
    """Of 64 stretches of 64 KiB each, spread evenly from the first byte to the last; of all where there are no more.

    Raises: `OSError`.
    """
    room = path.stat().st_size - _SAMPLE_BYTES
    if room <= _NUM_SAMPLES * _SAMPLE_BYTES:
        return digest_of(path)
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        for index in range(_NUM_SAMPLES):
            file.seek(index * room // (_NUM_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
