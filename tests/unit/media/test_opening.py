"""A file that is opened as clip, mask, sound or image is read alone: it cannot make us read another."""

import os
import shutil
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from reelpatch.clips.mask_rule import AskedMask
from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, main
from reelpatch.media.clip_size import clip_size
from reelpatch.media.frame_reader import look_through
from reelpatch.media.mask_file import read_mask
from reelpatch.media.opening import opened
from reelpatch.media.stills import images_in, read_still
from reelpatch.media.video_io import read_video
from tests.unit.media.numbered import film, numbers, patch, picture


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir()
    film(folder / "secret.ts", codec="mpeg2video", options={})
    return folder / "secret.ts"


POINTERS = {
    "playlist.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.0,\n{path}\n#EXT-X-ENDLIST\n",
    "by_protocol.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.0,\nfile:{path}\n#EXT-X-ENDLIST\n",
    "list.mp4": "ffconcat version 1.0\nfile private/secret.ts\n",
    "itself.mkv": "ffconcat version 1.0\nfile itself.mkv\n",
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "stream.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{path}</BaseURL></Period></MPD>',
    "letter.txt": "Dear reader,\n" * 40,
}


@pytest.mark.parametrize("name", POINTERS)
def test_pointers_and_text_are_no_clips(tmp_path: Path, secret: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(POINTERS[name].format(path=secret))
    for read in (
        lambda: read_video(path, folder_fps=Fraction(1)),
        lambda: look_through(path, folder_fps=Fraction(1)),
        lambda: clip_size(path),
        lambda: read_mask(path, AskedMask(), size=(64, 64), lengths=(1,)),
    ):
        with pytest.raises(
            BadInput, match=r"may name other files and is not followed|cannot be read as video: it is text"
        ):
            read()


@pytest.mark.parametrize("name", ["playlist.m3u8", "list.mp4"])
def test_the_command_line_says_so(
    tmp_path: Path, secret: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(POINTERS[name].format(path=secret))
    assert (
        main(["edit", str(tmp_path / name), "make it blue", "--output", str(tmp_path / "o.mp4")]) == BAD_INPUT
    )
    assert "is not followed: give the video file itself" in capsys.readouterr().err
    assert not (tmp_path / "o.mp4").exists()


def test_a_picture_s_name_is_no_pattern(tmp_path: Path) -> None:
    """FFmpeg takes %03d.png and *.png for all files of such names."""
    for name in ("%03d.png", "*.png", "001.png", "002.png"):
        Image.fromarray(picture(1)).save(tmp_path / name)
    for name in ("%03d.png", "*.png"):
        with pytest.raises(BadInput, match="cannot be read as video: it is of a kind"):
            read_video(tmp_path / name, folder_fps=Fraction(1))


def test_a_track_that_lies_in_another_file_is_not_read(tmp_path: Path) -> None:
    """QuickTime's data references; the neighbour has the very bytes that the clip's samples point to."""
    film(tmp_path / "clip.mov", codec="mjpeg", pix_fmt="yuvj420p", options={"qscale": "2"})
    shutil.copy(tmp_path / "clip.mov", tmp_path / "other.mov")
    assert numbers(read_video(tmp_path / "clip.mov", folder_fps=Fraction(1)).frames) == list(range(9))

    def refer(data: bytearray) -> None:
        """`url ` with the flag "in this file" becomes `alis`, an alias record that names the neighbour."""
        at = data.find(b"dref")
        name = str(tmp_path / "other.mov").encode()
        alias = bytearray(150)
        alias[8:10] = struct.pack(">H", 2)
        alias += struct.pack(">hH", 2, len(name)) + name + bytes(len(name) % 2) + struct.pack(">hh", -1, 0)
        entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
        old = struct.unpack_from(">I", data, at + 12)[0]
        grown = len(entry) - old
        data[at + 12 : at + 12 + old] = entry
        for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
            where = data.rfind(box, 0, at + 4) - 4
            struct.pack_into(">I", data, where, struct.unpack_from(">I", data, where)[0] + grown)

    patch(tmp_path / "clip.mov", refer)
    with av.open(tmp_path / "clip.mov", options={"enable_drefs": "1", "use_absolute_path": "1"}) as pointed:
        assert (
            sum(packet.size for packet in pointed.demux()) > 0
        )  # so the reference is one that FFmpeg follows
    with pytest.raises(BadInput):
        read_video(tmp_path / "clip.mov", folder_fps=Fraction(1))


def test_named_pipes_are_not_waited_for(tmp_path: Path) -> None:
    for name in ("clip.mp4", "image.png"):
        os.mkfifo(tmp_path / name)
    for read in (
        lambda: read_video(tmp_path / "clip.mp4", folder_fps=Fraction(1)),
        lambda: clip_size(tmp_path / "clip.mp4"),
        lambda: read_still(tmp_path / "image.png"),
        lambda: read_mask(tmp_path / "image.png", AskedMask(), size=(64, 64), lengths=(1,)),
        lambda: read_video(tmp_path, folder_fps=Fraction(1)),
    ):
        with pytest.raises(BadInput, match="is a named pipe, not a file"):
            read()


def test_kinds_of_images_that_run_programs_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(BadInput, match="cannot be read"):
        read_still(tmp_path / "x.png")


@pytest.mark.parametrize(
    "name", ["pipe:0.mp4", "file:clip.mp4", "12:30.mp4", "%03d.mp4", "#x?y=1.mp4", "-x.mp4"]
)
def test_names_are_never_protocols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    film(tmp_path / "plain.mp4")
    shutil.move(tmp_path / "plain.mp4", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (Path(name), tmp_path / name):
        with opened(path) as container:
            assert container.format.name.startswith("mov")


def test_titles_in_another_encoding_do_not_matter(tmp_path: Path) -> None:
    def titled(stream: object) -> None:
        stream.container.metadata["title"] = "cafexe"  # type: ignore[attr-defined]

    film(tmp_path / "clip.avi", codec="mpeg4", options={}, prepare=titled)
    patch(tmp_path / "clip.avi", lambda data: data.__setitem__(data.find(b"cafexe") + 3, 0xE9))
    assert numbers(read_video(tmp_path / "clip.avi", folder_fps=Fraction(1)).frames) == list(range(9))


def test_companions_of_macos_are_no_frames(tmp_path: Path) -> None:
    for index in range(3):
        Image.fromarray(picture(index)).save(tmp_path / f"{index:04d}.png")
        (tmp_path / f"._{index:04d}.png").write_bytes(b"\0\5\26\7" + bytes(60))
    (tmp_path / ".DS_Store").write_bytes(bytes(8))
    assert numbers(read_video(tmp_path, folder_fps=Fraction(8)).frames) == [0, 1, 2]
    assert clip_size(tmp_path)[0] == 3


def test_digits_of_other_scripts_count(tmp_path: Path) -> None:
    ten, wide_three = "\u0661\u0660", "\uff13"  # Arabic and full width
    names = ["frame_\u0662.png", f"frame_{ten}.png", f"frame_{wide_three}.png", "shot²_1.png"]
    for name in names:
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / name)
    assert [path.name for path in images_in(tmp_path)] == [names[0], names[2], names[1], names[3]]


def test_a_stream_without_a_decoder_is_refused(tmp_path: Path) -> None:
    """As after a flipped bit in a name of a codec, or with a camera's own codec; PyAV gives no codec context there."""
    clip = tmp_path / "clip.mov"
    film(clip)
    content = clip.read_bytes()
    assert content.count(b"avc1") == 1
    clip.write_bytes(content.replace(b"avc1", b"zzzz"))
    for read in (
        lambda: read_video(clip, folder_fps=Fraction(1)),
        lambda: look_through(clip, folder_fps=Fraction(1)),
        lambda: clip_size(clip),
        lambda: read_mask(clip, AskedMask(), size=(64, 64), lengths=(1,)),
    ):
        with pytest.raises(BadInput, match=r"of a kind that has no decoder here: convert it to H\.264\."):
            read()
