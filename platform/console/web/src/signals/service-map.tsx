import { graphlib, layout } from '@dagrejs/dagre';
import { serviceNames } from '@parley/contracts/endpoints';
import {
  Handle,
  MarkerType,
  Position,
  ReactFlow,
  type Edge as FlowEdge,
  type Node,
  type NodeProps,
} from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { useMemo, type ReactNode } from 'react';
import { percent, perSecond } from '../format.ts';
import { ERROR_RATIO_MIN, type Edge, type ServiceFigures, type Verdict } from './diagnosis.ts';
import { VerdictStatus } from './panels.tsx';

const NODE = { width: 216, height: 80 } as const;
const LABEL_HEIGHT_PX = 30;
/** Of the map's label font, about. */
const CHARACTER_PX = 5.8;

type ServiceNode = Node<
  {
    readonly figures: ServiceFigures | undefined;
    readonly verdict: Verdict | undefined;
    readonly name: string;
  },
  'service'
>;

const Service = ({ data: { name, figures, verdict } }: NodeProps<ServiceNode>): ReactNode => (
  <div className={`node ${verdict?.kind ?? 'unknown'}`} data-node={name} data-verdict={verdict?.kind}>
    <Handle type="target" position={Position.Left} isConnectable={false} />
    <strong>{name}</strong>
    <VerdictStatus verdict={verdict} />
    <span className="mono">
      {figures?.ratePerSecond === undefined ? 'nothing measured' : perSecond(figures.ratePerSecond)}
      {figures?.errorRatio === undefined || figures.errorRatio === 0
        ? ''
        : ` · ${percent(figures.errorRatio)} fail`}
    </span>
    <Handle type="source" position={Position.Right} isConnectable={false} />
    <Handle type="source" id="back" position={Position.Bottom} isConnectable={false} />
    <Handle type="target" id="back" position={Position.Bottom} isConnectable={false} />
  </div>
);

const nodeTypes = { service: Service };

/** `parley.order.events` is the topic of order: what it is called on the map. */
const shortOf = (via: string): string => via.replace(/^parley\./, '').replace(/\.events$/, ' events');

const partOf = ({ via, ratePerSecond, errorRatio }: Edge): string =>
  [
    via === undefined ? undefined : shortOf(via),
    perSecond(ratePerSecond),
    errorRatio >= ERROR_RATIO_MIN ? `▲ ${percent(errorRatio)} fail` : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');

/** What runs from one service to another is one line: two would lie on each other. */
const labelOf = (all: readonly Edge[]): string => all.map(partOf).join(' + ');

const pairsOf = (edges: readonly Edge[]): readonly (readonly Edge[])[] => [
  ...Map.groupBy(edges, ({ from, to }) => `${from} ${to}`).values(),
];

interface MapProps {
  readonly services: readonly ServiceFigures[];
  readonly edges: readonly Edge[];
  readonly verdicts: ReadonlyMap<string, Verdict>;
}

/** Pairs of services without those that would close a circle, seen from where an order comes in. */
const forwardPairs = (edges: readonly Edge[]): readonly (readonly Edge[])[] => {
  const pairs = pairsOf(edges);
  const forward: (readonly Edge[])[] = [];
  const seen = new Set<string>();
  const visit = (service: string, path: ReadonlySet<string>): void => {
    if (seen.has(service)) return;
    seen.add(service);
    for (const all of pairs) {
      const [first] = all;
      if (first?.from !== service || path.has(first.to)) continue;
      forward.push(all);
      visit(first.to, new Set([...path, first.to]));
    }
  };
  for (const service of serviceNames) visit(service, new Set([service]));
  return forward;
};

const nodesOf = ({ services, edges, verdicts }: MapProps): ServiceNode[] => {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: 'LR', nodesep: 28, ranksep: 20, edgesep: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of serviceNames) graph.setNode(name, { ...NODE });
  for (const all of forwardPairs(edges)) {
    const [first] = all;
    if (first === undefined || !graph.hasNode(first.from) || !graph.hasNode(first.to)) continue;
    const width = labelOf(all).length * CHARACTER_PX;
    graph.setEdge(first.from, first.to, { width, height: LABEL_HEIGHT_PX });
  }
  layout(graph);
  return serviceNames.map((name) => {
    const { x, y } = graph.node(name) as { readonly x: number; readonly y: number }; // laid out above
    return {
      id: name,
      type: 'service',
      position: { x: x - NODE.width / 2, y: y - NODE.height / 2 },
      data: { name, figures: services.find(({ service }) => service === name), verdict: verdicts.get(name) },
      ...NODE,
    };
  });
};

const flowEdgeOf = (all: readonly Edge[], isBack: boolean): FlowEdge[] => {
  const [first] = all;
  if (first === undefined) return [];
  const { from, to } = first;
  const isFailing = all.some(({ errorRatio }) => errorRatio >= ERROR_RATIO_MIN);
  const isCall = all.some(({ kind }) => kind === 'call');
  const colour = isFailing ? 'var(--bad)' : 'var(--muted)';
  const label = labelOf(all);
  return [
    {
      id: `${from} ${to}`,
      source: from,
      target: to,
      label,
      className: isFailing ? 'failing' : '',
      ...(isBack ? { sourceHandle: 'back', targetHandle: 'back', type: 'smoothstep' } : {}),
      markerEnd: { type: MarkerType.ArrowClosed, color: colour },
      style: {
        stroke: colour,
        strokeWidth: isFailing ? 2.5 : 1.25,
        ...(isCall ? {} : { strokeDasharray: '5 4' }),
      },
      ariaLabel: `${from} to ${to}: ${label}`,
    },
  ];
};

const flowEdgesOf = ({ edges }: MapProps, nodes: readonly ServiceNode[]): FlowEdge[] => {
  const left = new Map(nodes.map(({ id, position }) => [id, position.x]));
  return pairsOf(edges).flatMap((all) => {
    const [first] = all;
    const isBack = first !== undefined && (left.get(first.to) ?? 0) < (left.get(first.from) ?? 0);
    return flowEdgeOf(all, isBack);
  });
};

/** Who calls whom, and who sends messages to whom (dashed), with what fails. */
export const ServiceMap = (props: MapProps): ReactNode => {
  const { services, edges, verdicts } = props;
  const nodes = useMemo(() => nodesOf(props), [services, edges, verdicts]);
  const flowEdges = useMemo(() => flowEdgesOf(props, nodes), [edges, nodes]);
  return (
    <div className="map">
      <ReactFlow
        key={edges.map(({ from, to }) => `${from}${to}`).join()}
        nodes={nodes}
        edges={flowEdges}
        nodeTypes={nodeTypes}
        fitView
        fitViewOptions={{ padding: 0.06 }}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        disableKeyboardA11y
        zoomOnScroll={false}
        preventScrolling={false}
        panOnDrag={false}
        zoomOnDoubleClick={false}
        minZoom={0.3}
        proOptions={{ hideAttribution: true }}
        aria-label="Service map"
      />
    </div>
  );
};
