// Which file the frames of a node's input come from, found in the graph before it has run.

// Types of nodes that hand frames on as they are, by the inputs they take them from.
const HAND_ON = { Reroute: [""], GetVideoComponents: ["video"], ReelpatchClip: ["video", "images"] };
const FILES = { LoadVideo: "file", LoadImage: "image" };
const MOST_NODES = 50;
const [BYPASSED, MUTED] = [4, 2];

/** {file, type}: the file {filename, subfolder, type} that an input's frames come from, or null, and the type of its link. */
export function sourceOf(node, input) {
  let place = originOf(node, (slot) => slot.name === input);
  const type = place?.type ?? null;
  for (let count = 0; place && count < MOST_NODES; count += 1) {
    const { node: from } = place;
    if (from.mode === MUTED) break;
    const kind = from.comfyClass ?? from.type;
    if (from.mode !== BYPASSED && FILES[kind]) return { file: fileOf(from, FILES[kind]), type };
    place = before(place, kind);
  }
  return { file: null, type };
}

/** Where a place's frames come from. */
function before({ node, slot }, kind) {
  if (node.isSubgraphNode?.()) {
    // Out of a subgraph: on from what is connected to its output within.
    const link = node.subgraph.outputNode?.slots?.[slot]?.getLinks?.()[0] ?? innerLink(node.subgraph, slot);
    return link ? placeOf(node.subgraph, link) : null;
  }
  if (node.mode === BYPASSED) {
    const kindOut = node.outputs[slot]?.type;
    return originOf(node, (one) => one.link != null && one.type === kindOut);
  }
  const names = HAND_ON[kind];
  return names ? originOf(node, (one) => one.link != null && (names.includes(one.name) || kind === "Reroute")) : null;
}

function innerLink(subgraph, slot) {
  const id = subgraph.outputs[slot]?.linkIds?.[0];
  return id === undefined ? null : subgraph.getLink(id);
}

/** The node and output that a node's input is linked to, out of its subgraph where it has to. */
function originOf(node, isMeant) {
  const id = node.inputs?.find(isMeant)?.link;
  const link = id == null ? null : node.graph?.getLink(id);
  return link ? placeOf(node.graph, link) : null;
}

function placeOf(graph, link) {
  const node = graph.getNodeById(link.origin_id);
  if (node) return { node, slot: link.origin_slot, type: link.type };
  // From the subgraph's own inputs: on from the node that stands for it.
  const outer = everyNode(graph.rootGraph ?? graph).find((one) => one.subgraph === graph);
  const input = outer?.inputs[link.origin_slot];
  const place = outer && input ? originOf(outer, (one) => one === input) : null;
  return place;
}

function everyNode(root) {
  const graphs = [root, ...(root.subgraphs?.values() ?? [])];
  return graphs.flatMap((graph) => graph.nodes ?? []);
}

/** The file that a loader names: "folder/name.mp4", or "name.mp4 [output]". */
function fileOf(node, widget) {
  const value = node.widgets?.find((one) => one.name === widget)?.value;
  if (typeof value !== "string" || !value) return null;
  const [, path, type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(value);
  const parts = path.split("/");
  return { filename: parts.at(-1), subfolder: parts.slice(0, -1).join("/"), type };
}
