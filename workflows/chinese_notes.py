"""A template's note in Chinese, made line by line of the English one, so that both say the same numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from reelpatch.recipes import RECIPES
from workflows.chinese_template_names import NAMES
from workflows.chinese_words import HOWS
from workflows.chinese_words import RECIPES as OF_RECIPES

_LINES = {
    "## What comes out": "## 结果",
    "## How": "## 用法",
    "## It knows": "## 它认识",
    "## What it needs": "## 需要什么",
    "## Files, below ComfyUI/models": "## 文件,放在 ComfyUI/models 下",
    "- Download: **nothing**, the weights come with Reelpatch.": "- 下载:**无**,权重随 Reelpatch 附带。",
    r"Round brackets in a prompt are weights to ComfyUI: write \\( and \\) for others.": (
        r"提示词中的圆括号在 ComfyUI 里表示权重:普通括号请写成 \\( 和 \\)。"
    ),
}
_WHAT = {
    "picture": "一张图片",
    "window": "{n} 帧的一个窗口",
    "run": "{n} 帧的一次运行",
    "pair": "{n} 帧的一对",
}
Making = Callable[[re.Match[str]], str]


def chinese_note(english: str) -> str:
    """The note in Chinese. Raises: `ValueError` for a line that has no Chinese words."""
    title, *lines = english.split("\n")
    return "\n".join([f"# {NAMES[title.removeprefix('# ')]}", *map(_line, lines)])


def _line(line: str) -> str:
    if not line or line in _LINES or line in HOWS:
        return _LINES.get(line) or HOWS.get(line, "")
    for pattern, make in _PATTERNS:
        if found := re.fullmatch(pattern, line):
            return make(found)
    raise ValueError(f"no Chinese words for this line of a note: {line}")


@cache
def _notes() -> dict[str, str]:
    """Notes of recipes, by the English ones."""
    return {RECIPES[name].notes: words for name, words in OF_RECIPES.items()}


def _settings(found: re.Match[str]) -> str:
    steps = found["steps"].replace(" of ", " 步,共 ")
    guidance = (
        "无引导" if found["guidance"] == "no guidance" else found["guidance"].replace("guidance", "引导")
    )
    return f"{_notes()[found['notes']]}配方 *{found['name']}*:{steps} 步,{guidance}。"


def _what(words: str) -> str:
    kind, _, length = words.partition(" of ")
    return _WHAT[kind].format(n=length.removesuffix(" frames"))


def _needs(found: re.Match[str]) -> str:
    more = found["more"].replace(" and a file of your own", ",以及你自己的一个文件")
    more = re.sub(r" and (\d+) of unknown size", r",其中 \1 个大小未知", more)
    return f"- 下载:**{found['gb']} GB,{found['files']} 个文件{more}**。"


def _card(found: re.Match[str]) -> str:
    said = found["said"]
    for english, words in (
        (r"fits where ComfyUI takes the VAE in smaller tiles, as it does when memory ends \((.+?)\)", r"由 ComfyUI 把 VAE 分得更小时可用,内存不足时它会自动分块(\1)"),
        (r"\*\*does not fit\*\* \((.+?)\)", r"**不可用**(\1)"),
        (r"\bfits\b", "可用"),
        (r"(\d+) of (\d+) blocks streamed", r"\2 层中 \1 层流式加载"),
        (r"(\d+) GB of RAM", r"\1 GB 内存"),
        ("time not modelled", "时间未估算"),
        (r"([\d-]+) min", r"\1 分钟"),
        (r"([\d-]+) s\b", r"\1 秒"),
        (r"([\d.]+) GiB of ([\d.]+) GiB VRAM", r"需要 \1 GiB,显存 \2 GiB"),
        (r" \(encode\)", "(编码)"),
        (r" \(decode\)", "(解码)"),
        (r"; ", ";"),
    ):  # fmt: skip
        said = re.sub(english, words, said)
    return f"  - {found['gb']} GB:{said}"


_PATTERNS: tuple[tuple[str, Making], ...] = (
    (r"(?P<notes>.*) The recipe \*(?P<name>.+?)\*: (?P<steps>\d+(?: of \d+)?) steps, (?P<guidance>.+)\.", _settings),
    (
        r"Every frame of the video, at its own size and rate, with its sound\. Beyond (\d+) frames it is done in windows of \d+ that "
        r"share (\d+)(?:, worked on at (\S+))?\.",
        lambda found: f"视频的每一帧,保持自身尺寸、帧率和声音。超过 {found[1]} 帧时按 {found[1]} 帧的窗口处理,窗口共享 {found[2]} 帧"
        + (f",处理尺寸为 {found[3]}。" if found[3] else "。"),
    ),
    (
        r"From frame (\d+) on, (\d+) frames at (\S+) frames per second, (.+?): the result has those alone, at that rate and the video's own "
        r"size, with the sound under them\. Frame 0 is the video's first\.",
        lambda found: f"从第 {found[1]} 帧起的 {found[2]} 帧,每秒 {found[3]} 帧,{'按配方' if 'recipe' in found[4] else '按发布的设置'}:"
        "结果只有这些帧,为该帧率和视频自身尺寸,并带其下的声音。视频的首帧为第 0 帧。",
    ),
    (
        r"The picture at its own size; all of it is worked on, at about as many pixels as (\S+) has\. What a mask keeps are its own pixels\.",
        lambda found: f"图片保持自身尺寸;整张都会处理,像素数约为 {found[1]}。遮罩保留的是它自己的像素。",
    ),
    (
        r"Two clips of (\d+) frames, (\S+), at (\S+) frames per second, without sound: .*",
        lambda found: f"两个 {found[1]} 帧的片段,{found[2]},每秒 {found[3]} 帧,没有声音:*source* 符合它的描述,*target* 符合另一条。"
        "两个都会保存,以各自的描述命名。",
    ),
    (
        r"At most (\d+) frames, of at most as many pixels as (\S+) has, in one piece\. The task says how much of a clip it uses up\.",
        lambda found: f"最多 {found[1]} 帧,像素数最多为 {found[2]},一次处理。用掉片段的多少由任务说明。",
    ),
    (
        r"A video of (\d+) frames, (\S+), at (\S+) frames per second, without sound\.",
        lambda found: f"一段 {found[1]} 帧的视频,{found[2]},每秒 {found[3]} 帧,没有声音。",
    ),
    (r"- Download: \*\*(?P<gb>[\d.]+) GB in (?P<files>\d+) files(?P<more>.*)\*\*\.", _needs),
    (
        r"- Any machine: a CPU and 2 GB of RAM, seconds for a (.+)\.",
        lambda found: f"- 任何机器:CPU 和 2 GB 内存,{_what(found[1])}只需几秒。",
    ),
    (
        r"- Card, RAM, and time for a (.+?) at an (.+?)'s speed, modelled:",
        lambda found: f"- 显卡、内存,以及{_what(found[1])}按 {found[2]} 的速度估算的时间:",
    ),
    (r"  - (?P<gb>\d+) GB: (?P<said>.*)", _card),
    (
        r"- Licence of the weights: (.*?), from (.*)",
        lambda found: f"- 权重的许可证:{found[1]},来自 {found[2]}",
    ),
    (
        r"- (.+?): made of (\[.+?\]\(.+?\)) by (`.+?`), or smaller with (`.+?`)",
        lambda found: f"- {found[1].replace(' and ', ' 和 ')}:由 {found[2]} 用 {found[3]} 生成,加 {found[4]} 则更小",
    ),
    (
        r"- (.+?): made of (\[.+?\]\(.+?\)), which belongs in the same folder, by the node \*Convert weights\*",
        lambda found: f"- {found[1]}:由 {found[2]}(放在同一文件夹)用节点“转换权重”生成",
    ),
    (r"- \S+/\[.*", lambda found: found[0]),
    (r"- (?!Card|Download|Licence|Any)[^/]*", lambda found: found[0]),  # an instruction, which models read in English
)  # fmt: skip
