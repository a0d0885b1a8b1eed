// Items and their relations as a graph. The same content stands as a list on the page, for keyboard and screen reader.
//
//   <div data-island="graph" data-url="/topology/graph?item=7&depth=2" data-failed="…"></div>
//
// The server answers {"root": 7, "kinds": [{"code", "title"}], "nodes": [{"id", "name", "kind", "detail", "tone", "url"}],
// "edges": [{"source", "target", "title"}]}.
import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from "d3-force";
import type { Island } from "./app";
import { font, palette, startDrawing, textElement, token, tooltipStyle, type EChartsType } from "./drawing";

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

// In a larger picture only the best connected items are labelled; the others when they are pointed at.
const LABELLED_NODES = 60;
// Nodes of a picture that has to be made smaller become smaller too, down to this part of their size.
const LEAST_SCALE = 0.4;

interface Place {
  id: number;
  x: number;
  y: number;
}

/** Place the nodes by forces, always the same way for the same content: 500 nodes take well under half a second. */
function places(data: GraphData): Map<number, Place> {
  const found: Place[] = data.nodes.map((node, index) => ({
    id: node.id,
    x: 40 * Math.sqrt(index) * Math.cos(index * 2.4),
    y: 40 * Math.sqrt(index) * Math.sin(index * 2.4),
  }));
  const links = data.edges.map(({ source, target }) => ({ source, target }));
  const simulation = forceSimulation(found)
    .force("link", forceLink<Place, { source: number; target: number }>(links).id((place) => place.id).distance(70))
    .force("charge", forceManyBody().strength(-140).distanceMax(420))
    .force("collide", forceCollide(26))
    .force("x", forceX(0).strength(0.045))
    .force("y", forceY(0).strength(0.075))
    .stop();
  for (let step = 0; step < 220; step++) simulation.tick();
  return new Map(found.map((place) => [place.id, place]));
}

function rim(tone: string): string {
  return token(`--qd-${tone}`) || token("--qd-line-strong");
}

function degrees(data: GraphData): Map<number, number> {
  const degree = new Map(data.nodes.map((node) => [node.id, 0]));
  for (const end of data.edges.flatMap(({ source, target }) => [source, target])) {
    degree.set(end, (degree.get(end) ?? 0) + 1);
  }
  return degree;
}

function nodes(data: GraphData, at: Map<number, Place>, scale: number): object[] {
  const degree = degrees(data);
  const least = [...degree.values()].sort((a, b) => b - a)[LABELLED_NODES] ?? -1;
  const category = new Map(data.kinds.map((kind, index) => [kind.code, index]));
  return data.nodes.map((node) => ({
    id: String(node.id),
    name: node.name,
    x: at.get(node.id)?.x,
    y: at.get(node.id)?.y,
    category: category.get(node.kind),
    symbolSize: scale * (Math.min(44, 14 + 3 * Math.sqrt(degree.get(node.id) ?? 0)) + (node.id === data.root ? 10 : 0)),
    itemStyle: { borderColor: rim(node.tone), borderWidth: node.tone === "good" ? 0 : 2.5 * scale },
    label: { show: (degree.get(node.id) ?? 0) > least || node.id === data.root },
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

/** Pixels of the frame for one unit of the layout, when the picture fits exactly. */
function fittingOf(at: Map<number, Place>, element: HTMLElement): number {
  const xs = [...at.values()].map((place) => place.x);
  const ys = [...at.values()].map((place) => place.y);
  const width = Math.max(...xs) - Math.min(...xs) || 1;
  const height = Math.max(...ys) - Math.min(...ys) || 1;
  return Math.min((element.clientWidth - 120) / width, (element.clientHeight - 96) / height);
}

function option(data: GraphData, at: Map<number, Place>, element: HTMLElement): Record<string, unknown> {
  const muted = token("--qd-muted");
  const fitting = fittingOf(at, element);
  const text = { color: token("--qd-ink"), fontFamily: font(), fontSize: 12 };
  return {
    animation: false,
    color: palette(),
    tooltip: { ...tooltipStyle(), formatter: (hit: { data: { node?: Node; edge?: Edge } }) => tip(hit.data) },
    legend: {
      top: 8,
      left: 12,
      right: 12,
      type: "scroll",
      icon: "circle",
      itemWidth: 10,
      itemHeight: 10,
      textStyle: { ...text, color: muted }, pageIconColor: muted,
    },
    series: [
      {
        type: "graph",
        layout: "none",
        preserveAspect: "contain",
        // A few nodes are not blown up to fill the frame: 1 is "fits exactly", less leaves air around.
        zoom: Math.min(1, 1.6 / fitting),
        roam: true,
        scaleLimit: { min: 0.2, max: 6 },
        draggable: true,
        top: 56,
        bottom: 40,
        left: 60,
        right: 60,
        categories: data.kinds.map((kind) => ({ name: kind.title })),
        data: nodes(data, at, Math.min(1, Math.max(LEAST_SCALE, fitting))),
        edges: data.edges.map((edge) => ({ source: String(edge.source), target: String(edge.target), edge })),
        edgeSymbol: ["none", "arrow"],
        edgeSymbolSize: 6,
        lineStyle: { color: muted, opacity: 0.6, width: 1, curveness: 0.04 },
        // The halo keeps a name readable where it lies on lines and other nodes.
        label: {
          position: "bottom", ...text, width: 140, overflow: "truncate",
          textBorderColor: token("--qd-surface"), textBorderWidth: 3,
        },
        labelLayout: { hideOverlap: true },
        emphasis: { focus: "adjacency", label: { show: true } },
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
  let at = new Map<number, Place>();
  const draw = (): void => {
    if (data) drawing.setOption(option(data, at, element), { notMerge: true });
  };
  void fetch(element.dataset["url"] ?? "")
    .then(async (answer) => {
      if (!answer.ok) throw new Error(String(answer.status));
      data = (await answer.json()) as GraphData;
      at = places(data);
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
