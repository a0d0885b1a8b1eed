// Items and their relations as a graph. The same content stands as a list on the page, for keyboard and screen reader.
//
//   <div data-island="graph" data-url="/topology/graph?item=7&depth=2" data-failed="…"></div>
//
// The server answers {"root": 7, "kinds": [{"code", "title"}], "nodes": [{"id", "name", "kind", "detail", "tone", "url"}],
// "edges": [{"source", "target", "title"}]}.
import type { Island } from "./app";
import { calm, font, palette, startDrawing, textElement, token, tooltipStyle, type EChartsType } from "./drawing";

interface Node {
  id: number;
  name: string;
  kind: string;
  detail: string;
  tone: string;
  url: string;
}

interface Edge {
  source: number;
  target: number;
  title: string;
}

interface GraphData {
  root: number | null;
  kinds: { code: string; title: string }[];
  nodes: Node[];
  edges: Edge[];
}

// Above this the layout is computed at once instead of being watched.
const ANIMATED_NODES = 150;
const LABELLED_NODES = 80;

function rim(tone: string): string {
  return token(`--qd-${tone}`) || token("--qd-line-strong");
}

function nodes(data: GraphData): object[] {
  const degree = new Map<number, number>();
  for (const { source, target } of data.edges) {
    degree.set(source, (degree.get(source) ?? 0) + 1);
    degree.set(target, (degree.get(target) ?? 0) + 1);
  }
  const category = new Map(data.kinds.map((kind, index) => [kind.code, index]));
  return data.nodes.map((node) => ({
    id: String(node.id),
    name: node.name,
    category: category.get(node.kind),
    symbolSize: Math.min(44, 14 + 3 * Math.sqrt(degree.get(node.id) ?? 0)) + (node.id === data.root ? 10 : 0),
    itemStyle: { borderColor: rim(node.tone), borderWidth: node.tone === "good" ? 0 : 2.5 },
    label: { show: data.nodes.length <= LABELLED_NODES || node.id === data.root },
    node,
  }));
}

function tip(data: { node?: Node; edge?: Edge }): HTMLElement {
  const box = document.createElement("div");
  if (data.node) {
    box.append(textElement("b", data.node.name), textElement("div", data.node.detail, "qd-muted"));
  } else if (data.edge) {
    box.append(textElement("span", data.edge.title));
  }
  return box;
}

function option(data: GraphData): Record<string, unknown> {
  const muted = token("--qd-muted");
  const text = { color: token("--qd-ink"), fontFamily: font(), fontSize: 12 };
  const size = data.nodes.length;
  return {
    animation: false,
    color: palette(),
    tooltip: { ...tooltipStyle(), formatter: (hit: { data: { node?: Node; edge?: Edge } }) => tip(hit.data) },
    legend: { top: 0, left: 0, type: "scroll", textStyle: { ...text, color: muted }, pageIconColor: muted },
    series: [
      {
        type: "graph",
        layout: "force",
        roam: true,
        scaleLimit: { min: 0.2, max: 6 },
        draggable: true,
        top: 40,
        categories: data.kinds.map((kind) => ({ name: kind.title })),
        data: nodes(data),
        edges: data.edges.map((edge) => ({ source: String(edge.source), target: String(edge.target), edge })),
        edgeSymbol: ["none", "arrow"],
        edgeSymbolSize: 6,
        lineStyle: { color: token("--qd-line-strong"), width: 1, curveness: 0.04 },
        label: { position: "bottom", ...text, width: 140, overflow: "truncate" },
        labelLayout: { hideOverlap: true },
        emphasis: { focus: "adjacency", label: { show: true } },
        force: {
          repulsion: size > 200 ? 60 : 160,
          edgeLength: size > 200 ? 40 : 90,
          gravity: 0.12,
          layoutAnimation: size <= ANIMATED_NODES && !calm,
        },
      },
    ],
  };
}

function open(drawing: EChartsType): void {
  drawing.on("click", (hit) => {
    const node = (hit.data as { node?: Node } | undefined)?.node;
    if (node?.url) location.assign(node.url);
  });
}

const graph: Island = (element) => {
  const { drawing, stop } = startDrawing(element);
  let data: GraphData | null = null;
  const draw = (): void => {
    if (data) drawing.setOption(option(data), { notMerge: true });
  };
  void fetch(element.dataset["url"] ?? "")
    .then(async (answer) => {
      if (!answer.ok) throw new Error(String(answer.status));
      data = (await answer.json()) as GraphData;
      draw();
    })
    .catch(() => {
      element.replaceChildren(textElement("p", element.dataset["failed"] ?? "", "qd-muted p-3"));
    });
  open(drawing);
  document.addEventListener("qd:theme", draw);
  return () => {
    document.removeEventListener("qd:theme", draw);
    stop();
  };
};
export default graph;
