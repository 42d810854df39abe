// The demo, which needs no download, one click away: a button beside Run, and a command for menus, palette and shortcuts.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { PACK, templateOrder } from "./pack.js";

const COMMAND = "Reelpatch.OpenDemo";
const SETTING = "Reelpatch.DemoButton";
const ICON = "pi pi-play-circle";
const WORDS = {
  en: {
    button: "Reelpatch demo",
    tooltip: "Opens a video edit that runs on any machine, without a download. Settings > Reelpatch puts this button away.",
    failed: "The demo could not be opened: is Reelpatch's folder whole? Install it anew if not.",
  },
  zh: {
    button: "Reelpatch 演示",
    tooltip: "打开一个在任何机器上都能运行、无需下载的视频编辑。可在“设置”“Reelpatch”中收起此按钮。",
    failed: "无法打开演示:Reelpatch 的文件夹是否完整?若不完整请重新安装。",
  },
};

function setting(id) {
  return app.extensionManager?.setting?.get(id);
}

function words() {
  return WORDS[(setting("Comfy.Locale") ?? "en").split("-")[0]] ?? WORDS.en;
}

/** Opens it as the Templates dialog does. */
async function openDemo() {
  const [name] = await templateOrder();
  const answer = await api.fetchApi(`/workflow_templates/${encodeURIComponent(PACK)}/${encodeURIComponent(name)}.json`);
  if (!answer.ok) {
    app.extensionManager?.toast?.add({ severity: "error", summary: "Reelpatch", detail: words().failed });
    return;
  }
  await app.loadGraphData(await answer.json(), true, true, name, { openSource: "template" });
}

app.registerExtension({
  name: "reelpatch.demo",

  settings: [
    {
      id: SETTING,
      category: ["Reelpatch", "Demo", "Button"],
      name: "Button that opens the demo",
      tooltip: "Beside Run. A change shows after the page is loaded anew.",
      type: "boolean",
      defaultValue: true,
    },
  ],
  commands: [{ id: COMMAND, icon: ICON, label: "Reelpatch: open the demo", function: openDemo }],
  menuCommands: [{ path: ["Reelpatch"], commands: [COMMAND] }],

  /** Asked for once the page has its settings. */
  get actionBarButtons() {
    if (!(setting(SETTING) ?? true)) return [];
    const { button, tooltip } = words();
    return [{ icon: ICON, label: button, tooltip, onClick: openDemo }];
  },
});
