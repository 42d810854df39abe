"""The sentences of the templates' notes in Chinese, by the English ones."""

from __future__ import annotations

from workflows.beside_nodes import HOW_BY_WORD, HOW_SEVERAL, HOW_WITH_STYLE, SAM3, SAM3_URL
from workflows.caption_subgraph import HOW as HOW_BY_CAPTIONS
from workflows.channel_subgraph import HOW as HOW_BY_CHANNELS
from workflows.context_subgraph import HOW as HOW_IN_CONTEXT
from workflows.context_subgraph import HOW_ON_CANVAS, HOW_WITH_ADAPTER, HOW_WITH_DEMO_ADAPTER
from workflows.pair_subgraph import HOW as HOW_IN_PAIRS
from workflows.picture_subgraph import HOW as HOW_OF_PICTURES
from workflows.reference_subgraph import HOW as HOW_OF_REFERENCES
from workflows.task_graphs import TASK_GRAPHS
from workflows.templates import HOW_TO_ENHANCE, HOW_TO_FOLLOW
from workflows.track_nodes import HOW_WITH_TRACK

_TRACK = (
    "**遮罩轨道**说明在哪里、什么时候编辑:在画面上绘制(B 矩形、E 椭圆、P 多边形、S 笔画、W 整个画面),K 设关键帧,I 和 O 设开始和结束,"
    "时间线上的手柄设定如何渐入渐出。开始之前,结果就是原视频。"
)
_TASKS = {
    "text and references": "每个主体加载一张图片,最好抠在白底上,并描述成片。",
    "follow a control map": (
        "边缘引导新视频。要用深度,请把深度图代替边缘接到任务的 video;SDPose 的姿态图或灰度片段也这样接入。"
    ),
    "inpaint": "遮罩可以是整个片段共用的一张图,也可以每帧一张;用 boxes 则不需要遮罩。",
    "outpaint": "为每一边填写画面扩展多少,以画面自身尺寸的比例表示。",
    "extend": "只接首张图片就从它往后延续,只接末张图片就朝它发展。接视频代替图片,就是若干帧的开头或结尾。",
    "swap by mask and reference": "遮罩在每一帧覆盖要换掉的东西:可用 SAM3 或遮罩编辑器制作。参考图是换上的东西。",
    "try-on and character replacement": "遮罩内模型只看到边缘,由此保持动作,外观取自参考图;遮罩外保持原片段。",
}
HOWS = {
    HOW_SEVERAL: (
        "每行写一条指令,种子写成 1-4 或 1, 2, 7:所有组合都会生成,模型只加载一次,并列在一张表上。每个结果也单独保存在输出的 reelpatch 文件夹。"
        "更多片段接到 **video_1** 等;几百帧的片段请用 `reelpatch batch`。"
    ),
    HOW_WITH_STYLE: (
        "选择一种**风格**:指令即为 Ditto 作者的原文,括号已为 ComfyUI 转义。要用自己的话,请断开它并输入。"
    ),
    HOW_BY_WORD: (
        f"**按词生成遮罩**在每一帧找到你说的东西(SAM3,由 ComfyUI 运行;文件 [{SAM3}]({SAM3_URL}) 放在 checkpoints,有自己的许可证)。"
        "多样东西用逗号分开。遮罩外视频的每个像素不变;*grow* 可扩大遮罩。什么也没找到时,编辑会说遮罩处处为 0:"
        "换一个词,或调低子图里的 *detection_threshold*。"
    ),
    HOW_TO_ENHANCE: (
        "不做编辑:给视频加少量噪声再去噪,使其更稳定、更清晰。**last_steps** 决定强弱,0 用配方的值;文本可为空,或描述视频内容。"
    ),
    HOW_TO_FOLLOW: (
        "把视频第 0 帧当作图片编辑(用 *ChronoEdit - edit a picture* 或其他编辑器),看过后与视频一起加载:它保持为第 0 帧,后面的帧跟随它。"
        "指令与图片所示一致。图片与视频同形状;尺寸不同会缩放。"
    ),
    HOW_WITH_TRACK: _TRACK,
    HOW_IN_CONTEXT: (
        "用命令句说明要改什么。**配方**会带来全部设置和文件:*videocof-fast* 与 *videocof* 添加、移除或替换一样东西,*bernini-r-1.3b*(8 GB)和 "
        "*bernini-r*(14B,两个专家)还可用参考图。长度和帧率随配方而定,VideoCoF 为 33 帧、每秒 10 帧,Bernini-R 为 81 帧、每秒 16 帧;"
        "输入的 **frames** 和 **fps** 优先,-1 为整个视频或其自身帧率。"
    ),
    HOW_ON_CANVAS: (
        "用命令句说明要改什么。模型在两倍宽的画面上工作,左边是视频,右边生成编辑。用 *reco-ref* 代替 *reco* 还会看一张参考图:接到 "
        "**references**。ReCo 更擅长添加和替换,不擅长移除。"
    ),
    HOW_WITH_ADAPTER: (
        "**EasyV2V 的作者没有发布权重**:请训练一个*编辑适配器*(格式见 Reelpatch 的 `docs/files.md`,*Edit adapters* 一节),以任何文件名放入 "
        "models/diffusion_models,会按内容识别。用命令句说明要改什么。遮罩与视频同尺寸,白色处可以改变:所有帧一张,或每帧一张。"
        "参考图是应有的样子。两者都没有时只看指令:请断开它们。"
    ),
    HOW_WITH_DEMO_ADAPTER: (
        f"几个词就够:*change the background*,**图片**说明换成什么。{_TRACK}权重是我们自己的,只认识 64x64 像素的彩色形状:EasyV2V 的作者没有发布权重。"
    ),
    HOW_OF_REFERENCES: (
        "描述成片,并用 *image0* 和 *image1* 称呼图片:第一张和第二张。配方 *bernini-r-1.3b-r2v* 适合 8 GB,*bernini-r-r2v* 是 14B 的一对。"
        "要用更多图片(最多 16 张),请在里面接到“参考图”。"
    ),
    HOW_BY_CHANNELS: (
        "用命令句说明要改什么;指令越长越好(*改写指令*可以写长),双引号里的文字会逐字读取。按视频自己的形状、约 848x480 的像素数处理;"
        "里面的“片段”可改用任何已发布的尺寸。遮罩保留其他所有像素。"
    ),
    HOW_IN_PAIRS: (
        "写两条描述 **source** 和 **target**,除要改变的之外完全相同,并在 **change** 中说明是哪种改变:*colour*(颜色)、*insertion*(添加)、"
        "*removal*(移除)、*background*(背景)、*motion*(动作),其他用 *local*。设了 **onset**,该帧之前两个片段相同。换 **seed** 就是另一对。"
        "没有为此训练过,有些会失败:两个都要看。要成套数据(含遮罩、测量和训练器读取的列表),请用命令行 `reelpatch pairs`(docs/pairs.md)。"
    ),
    HOW_BY_CAPTIONS: (
        "在 **source** 中描述视频现在的样子,在 **target** 中写同样的话,只改要改变的部分,并在 **change** 中说明是哪种改变:*colour*(颜色)、"
        "*insertion*(添加)、*removal*(移除)、*background*(背景)、*motion*(动作),其他用 *local*。没有为此训练过:比 *VideoCoF*、*Ditto* "
        "等训练过的方法保留得少,做得也少。遮罩保留其他所有像素。"
    ),
    HOW_OF_PICTURES: (
        "用 80 到 100 个英文词说明改什么、留什么。**配方**会带来全部设置和文件:日常用 *chronoedit-8step*,未蒸馏用 *chronoedit*,需要当作动作来想的用 "
        "*chronoedit-reasoning*,放大图片用 *chronoedit-upscale*(不需要指令),把黑色笔画变成所说之物用 *chronoedit-paint*。**reasoning_steps** 为 -1 "
        "即配方的值;**遮罩**(在图片的遮罩编辑器中绘制,接其 MASK)保留其余一切。"
    ),
    **{one.how: _TASKS[one.name.split(" - ")[1].removesuffix(" (4 steps)")] for one in TASK_GRAPHS},
}
RECIPES = {
    "demo": "认识六种颜色、三种形状、五种背景和三种风格。",
    "ditto-global": "没有遮罩也没有参考图:整个片段就是上下文。",
    "ditto-local": "没有为它发布工作流:设置同 ditto-global,LoRA 用在 VACE 上。",
    "ditto-quality": (
        "原脚本把 Ditto 的 LoRA 加到 VACE 模块上,而这里所列文件已含它;原脚本还把时间步舍入到 bf16(995.935 变为 996),这里不这样做。"
    ),
    "enhance": (
        "只用低噪声专家,从带 57 % 噪声(sigma 0.571)的片段开始;提示词为空或片段的描述。最后 1 到 14 步:越多变化越大。"
    ),
    "demo-enhance": (
        "只用演示主干,按增强模型的计划:最后 2 步,从 39 % 噪声开始,因为从 57 %(四步)开始,这么小的模型找不回画面。它只认识演示的场景,64x64 像素、9 帧。"
    ),
    "vdot": "提示词描述成片,而不是给出指令。一个文件兼作主干和编辑模块:bf16 为 34.7 GB,fp8 为 17.6 GB。",
    "videocof-fast": ("遮罩和参考图不进入模型;遮罩靠贴回保留其余画面。用 33 帧训练,作者说约四倍长也可以。"),
    "bernini-r-1.3b": (
        "只有片段时用投影引导(作者的 v2v_apg),每步两遍。有参考图时,引导从无到片段、到参考图、再到指令(rv2v);片段和参考图权重相同,所以三遍就够。"
    ),
    "bernini-r-1.3b-r2v": (
        "不看任何片段:视频由 1 到 16 张参考图和对成片的描述生成,描述中称它们为 image0、image1……引导从无到参考图、再到描述,带投影(作者的 r2v_apg),每步三遍。"
    ),
    "reco": (
        "原片在两倍宽画布的左边,右边生成片段:token 是 VACE 的两倍。遮罩不进入模型,它保留的部分靠贴回。据作者的测试不擅长移除。在 ComfyUI 中用“上下文编辑”。"
    ),
    "demo-in-context": (
        "我们自己的编辑适配器,用在演示的 16 通道主干上:EasyV2V 的作者没有发布权重。它认识六种颜色、三种形状和五种背景;"
        "“change the background”取图片的背景。"
    ),
    "easyv2v": (
        "作者没有发布权重:这是论文里的布局,论文没说的由我们决定,供你自己训练的编辑适配器使用(格式见 docs/files.md)。遮罩说明在哪里、什么时候编辑;"
        "没有遮罩则只看指令。一张参考图。尺寸为 32 的倍数。"
    ),
    "capybara": ("遮罩不进入模型,它保留的部分靠贴回。指令越长越好:作者建议改写。双引号里的文字会逐字读取。"),
    "demo-shared-attention": (
        "演示主干加描述 LoRA。它认识“red circle and green square in front of the ocean”这样的描述:六种颜色、三种形状、五种背景;"
        "一条说片段现在的样子,一条说应变成的样子。"
    ),
    "shared-attention-1.3b": (
        "文本是片段应变成的样子的描述,另有一条是现在的样子。没有为此训练过:比训练过的方法保留得少。可以由此生成一对片段。"
        "早期和中期在哪里结束(运行的 25 % 和 65 %)以及层的三等分是我们定的:InsEdit 没有发布数值。"
    ),
    "chronoedit-8step": (
        "负面提示词留空。80 到 100 个英文词的指令最好:改什么,留什么。图片编码器只看图片中央的正方形,模型其余部分看全部。"
    ),
    "chronoedit-reasoning": (
        "负面提示词留空。80 到 100 个英文词的指令最好:改什么,留什么。图片编码器只看图片中央的正方形,模型其余部分看全部。"
        "图片与编辑之间的帧在前几步里想象,随后丢弃;发布的脚本从不丢弃,那是 50 个推理步,工作量是这里 10 步的三倍。"
    ),
    "demo-picture": "认识六种颜色、三种形状和五种背景,图片为 64x64 像素。其主干没有图片嵌入的分支,所以不需要图片编码器。",
}
"""Notes of recipes; others have the note of one of these."""
