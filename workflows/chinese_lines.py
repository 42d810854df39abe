"""An app's lines of words in Chinese, and the names of what a template's one node takes and gives."""

from __future__ import annotations

import re

from reelpatch.recipes import RECIPES
from workflows.chinese_titles import chinese_title

_LINES = {
    "-1 is the recipe's": "-1 为配方的值",
    "0 is the recipe's": "0 为配方的值",
    "all combinations are made": "生成所有组合",
    "counted from 0": "从 0 数起",
    "counted from 0; as published: 1": "从 0 数起;发布的设置为 1",
    "draw where and when it edits": "绘制在哪里、什么时候编辑",
    "equal before it, from 0": "该帧之前相同,从 0 数起",
    "every frame, own size and rate": "每一帧,保持自身尺寸和帧率",
    "may be empty": "可为空",
    "nothing to download; any CPU": "无需下载;任何 CPU",
    "the published wording": "发布的原文",
    "the same but for the change": "除改变之外完全相同",
    "weights: licence not stated": "权重:未说明许可证",
    "weights: non-commercial use": "权重:仅限非商业用途",
    "what changes, and what stays": "改什么,留什么",
    "what differs": "哪种改变",
    "what is there before the change": "改变之前的样子",
    "what the finished video shows": "成片的内容",
}
_SLOTS = {
    "before": "编辑前",
    "boxes": "方框",
    "change": "改变",
    "control map": "控制图",
    "down": "下",
    "edited frame 0": "编辑过的第 0 帧",
    "film": "短片",
    "first": "开头",
    "first subject": "第一个主体",
    "first_frame": "起始帧",
    "fps": "帧率",
    "frames": "帧数",
    "grow": "扩展",
    "image": "图片",
    "IMAGE": "图片",
    "instruction": "指令",
    "last": "结尾",
    "last_steps": "最后步数",
    "left": "左",
    "mask": "遮罩",
    "MASK": "遮罩",
    "mask video": "遮罩视频",
    "name": "名称",
    "onset": "起点",
    "prompt": "提示词",
    "reasoning_steps": "推理步数",
    "recipe": "配方",
    "reference": "参考图",
    "references": "参考图",
    "right": "右",
    "second subject": "第二个主体",
    "seed": "种子",
    "source": "原片",
    "source name": "原片名称",
    "still": "图片",
    "strength": "强度",
    "target": "目标",
    "target name": "目标名称",
    "up": "上",
    "video": "视频",
    "VIDEO": "视频",
    "what it is": "是什么",
    "what it shows": "视频的内容",
    "what the model gets": "模型看到的内容",
}


def chinese_slot(name: str) -> str:
    """What an input or output of a template's one node is called. Raises: `KeyError` for one without words."""
    return _SLOTS[name]


def chinese_line(line: str) -> str:
    """A line of an app; numbers stay, and so does an example of an instruction, which models read in English.

    Raises: `KeyError` for a line that has no Chinese words.
    """
    if line in _LINES:
        return _LINES[line]
    if found := re.fullmatch(r"([\d.]+) GB; (\d+) GB card: ([\d-]+) (min|s)", line):
        unit = {"min": "分钟", "s": "秒"}[found[4]]
        return f"{found[1]} GB;{found[2]} GB 显卡:{found[3]} {unit}"
    if found := re.fullmatch(r"at most (\d+) frames of (\S+)", line):
        return f"最多 {found[1]} 帧,{found[2]}"
    if line.startswith("weights: ") or any(one.licence.startswith(line) for one in RECIPES.values()):
        return f"权重:{line.removeprefix('weights: ')}"
    if line.startswith("e.g. "):
        return f"例如:{line.removeprefix('e.g. ')}"
    return chinese_title(line)
