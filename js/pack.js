// What the page knows of this pack: the folder that it is installed in, and the order of its templates.

/** The name that the server gives the pack: that of its folder, whatever people called it. */
export const PACK = decodeURIComponent(new URL(import.meta.url).pathname.split("/extensions/").at(-1).split("/")[0]);

/** The names of templates and apps, in the order that they are shown in; the first one is the demo. */
export async function templateOrder() {
  const answer = await fetch(new URL("./templates.json", import.meta.url));
  return answer.ok ? (await answer.json()).order : [];
}
