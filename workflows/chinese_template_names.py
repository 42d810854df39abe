"""What the templates are called in their notes in Chinese, by their English titles."""

NAMES = {
    "Demo: edit on any machine": "演示:在任何机器上编辑",
    "Demo: several instructions and seeds in one run, on one sheet": "演示:一次运行多条指令和多个种子,列在一张表上",
    "Ditto global: restyle a video in 4 steps": "Ditto 全局:4 步改变视频风格",
    "Ditto style: restyle a video in 4 steps": "Ditto 风格:4 步改变视频风格",
    "Ditto sim2real: a rendered video becomes real, in 4 steps": "Ditto sim2real:4 步把渲染视频变真实",
    "Ditto local: change one thing in a video, in 4 steps": "Ditto 局部:4 步改变视频中的一样东西",
    "Ditto local: change what a word names, and keep every other pixel, in 4 steps": (
        "Ditto 局部:4 步改变一个词所指的东西,其他像素不变"
    ),
    "Ditto as LoRA on a VACE module, in 4 steps": "Ditto 作为 VACE 模块上的 LoRA,4 步",
    "Ditto global: the quality path in 50 steps": "Ditto 全局:50 步的高质量方式",
    "Ditto global, as published: first frame 1, 73 frames, 24 fps": "Ditto 全局,按发布的设置:从第 1 帧起,73 帧,每秒 24 帧",
    "Ditto's enhancer: steadier and sharper, by the last 4 of 40 steps of Wan2.2": (
        "Ditto 的增强模型:用 Wan2.2 40 步中的最后 4 步,更稳定、更清晰"
    ),
    "Demo: enhance on any machine": "演示:在任何机器上增强",
    "Demo: edit a video of any length on any machine": "演示:在任何机器上编辑任意长度的视频",
    "Ditto global: restyle a video of any length, in 4 steps": "Ditto 全局:4 步改变任意长度视频的风格",
    "Ditto's enhancer for a video of any length": "Ditto 的增强模型,用于任意长度的视频",
    "Demo: enhance a video of any length on any machine": "演示:在任何机器上增强任意长度的视频",
    "Demo: a video follows its first frame, edited as a picture, on any machine": (
        "演示:视频跟随作为图片编辑过的首帧,任何机器均可"
    ),
    "VDOT: a video follows its first frame, edited as a picture, in 4 steps": "VDOT:视频跟随作为图片编辑过的首帧,4 步",
    "Demo: recolour one thing from a moment on, faded in": "演示:从某一刻起给一样东西换颜色,渐入",
    "Demo: remove one thing inside a box that follows it": "演示:在跟随的矩形内移除一样东西",
    "Demo: a restyle that wipes across the picture": "演示:划过画面的风格改变",
    "VideoCoF: add, remove or swap one thing in 4 steps": "VideoCoF:4 步添加、移除或替换一样东西",
    "VideoCoF: add, remove or swap one thing, by all of its 50 steps with guidance": (
        "VideoCoF:用全部 50 步和引导,添加、移除或替换一样东西"
    ),
    "Bernini-R: edit a video by instruction and references, in 40 steps": "Bernini-R:40 步按指令和参考图编辑视频",
    "Bernini-R 14B: edit a video by instruction and references, by two experts in 40 steps": (
        "Bernini-R 14B:两个专家 40 步按指令和参考图编辑视频"
    ),
    "Bernini-R: a video of what reference pictures show, in 40 steps": "Bernini-R:40 步由参考图生成视频",
    "ReCo: edit a video side by side with itself, in 50 steps": "ReCo:50 步与原片并排编辑视频",
    "Demo: edit in context, from a moment on, with the background of a picture": (
        "演示:从某一刻起在上下文中编辑,采用图片的背景"
    ),
    "EasyV2V's layout: edit a video by instruction, mask and reference, with an edit adapter of your own": (
        "EasyV2V 的布局:用自己的编辑适配器,按指令、遮罩和参考图编辑视频"
    ),
    "Capybara: edit a video by instruction on HunyuanVideo-1.5, in 50 steps": (
        "Capybara:在 HunyuanVideo-1.5 上 50 步按指令编辑视频"
    ),
    "Demo: make a pair of clips, before and after a change, on any machine": (
        "演示:在任何机器上生成改变前后的一对片段"
    ),
    "Wan2.1 1.3B: make a pair of clips, before and after a change, in 50 steps": (
        "Wan2.1 1.3B:50 步生成改变前后的一对片段"
    ),
    "Wan2.1 1.3B: edit a video by two captions, with nothing trained for it, in 50 steps": (
        "Wan2.1 1.3B:50 步按两条描述编辑视频,没有为此训练过"
    ),
    "ChronoEdit: edit a picture in 8 steps": "ChronoEdit:8 步编辑图片",
    "ChronoEdit: imagine the way to the edit for 10 of 50 steps": "ChronoEdit:50 步中用 10 步想象通往编辑的过程",
    "Demo: edit a picture on any machine": "演示:在任何机器上编辑图片",
    "VDOT: a video of the subjects shown, in 4 steps": "VDOT:4 步由所示主体生成视频",
    "VDOT: follow the edges or the depth of a video, in 4 steps": "VDOT:4 步跟随视频的边缘或深度",
    "VDOT: make up what a mask covers, in 4 steps": "VDOT:4 步生成遮罩覆盖的内容",
    "VDOT: make up what lies beyond the picture, in 4 steps": "VDOT:4 步生成画面之外的内容",
    "VDOT: from a first image to a last one, in 4 steps": "VDOT:4 步从首张图片到末张图片",
    "VDOT: put a reference in the place of something, in 4 steps": "VDOT:4 步用参考图替换某样东西",
    "VDOT: other clothes or another character on the same motion, in 4 steps": (
        "VDOT:4 步在同样的动作上换衣服或换角色"
    ),
}
