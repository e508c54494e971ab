import { GraphView, type Drawing } from "../../graph";
import { Badge, Empty, Facts, Loaded, Panel, useUrl } from "../../kit";
import styles from "./assistant.module.css";
import { useDrawing } from "./data";

/** The graph, and what is known of the node that is chosen (`?node=`). */
export function GraphTab({ assistantId, name }: { assistantId: string; name: string }) {
  const drawing = useDrawing(assistantId);
  const { get, set } = useUrl();
  const node = get("node") || null;
  return (
    <Loaded query={drawing} what="The graph">
      {(graph) =>
        graph.nodes.length === 0 ? (
          <Empty title="This graph has no nodes" />
        ) : (
          <div className={styles.graphTab}>
            <Panel fill bare label="Drawing">
              <GraphView
                graph={graph}
                selected={node}
                onSelect={(id) => set({ node: id })}
                label={`Graph of ${name}`}
              />
            </Panel>
            {/* What scrolls must be reachable by keyboard. */}
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
            <div className={styles.nodeFacts} tabIndex={0} role="group" aria-label="What is known">
              <Panel title={node ?? "Nodes"}>
                {node === null ? <Counts graph={graph} /> : <NodeFacts graph={graph} id={node} />}
              </Panel>
            </div>
          </div>
        )
      }
    </Loaded>
  );
}

function Counts({ graph }: { graph: Drawing }) {
  const groups = new Set(graph.nodes.flatMap(({ id }) => (id.includes(":") ? [id.slice(0, id.lastIndexOf(":"))] : [])));
  const inner = graph.nodes.filter(({ id }) => !/(^|:)__(start|end)__$/.test(id));
  return (
    <>
      <Facts
        items={[
          ["Nodes", inner.length],
          ["Edges", graph.edges.length],
          ["Conditional", graph.edges.filter((edge) => edge.conditional).length],
          ["Subgraphs", groups.size],
        ]}
      />
      <p className={styles.faint}>Press a node to see what is known of it.</p>
    </>
  );
}

function NodeFacts({ graph, id }: { graph: Drawing; id: string }) {
  const node = graph.nodes.find((each) => each.id === id);
  const inside = graph.nodes.filter((each) => each.id.startsWith(`${id}:`));
  const has = (end: string) => end === id || end.startsWith(`${id}:`);
  const from = graph.edges.filter((edge) => has(edge.target) && !has(edge.source));
  const to = graph.edges.filter((edge) => has(edge.source) && !has(edge.target));
  const tools = node?.metadata?.__tools;
  return (
    <Facts
      items={[
        ["Kind", inside.length > 0 ? "subgraph" : (node?.type ?? "node")],
        ["Nodes in it", inside.length > 0 && inside.length],
        ["Comes from", <Ends key="from" ends={from.map(({ source, conditional }) => ({ id: source, conditional }))} />],
        ["Goes to", <Ends key="to" ends={to.map(({ target, conditional }) => ({ id: target, conditional }))} />],
        [
          "Tools",
          Array.isArray(tools) && (
            <span className={styles.badges}>
              {tools.map((tool) => (
                <Badge key={String(tool)}>{String(tool)}</Badge>
              ))}
            </span>
          ),
        ],
      ]}
    />
  );
}

function Ends({ ends }: { ends: readonly { id: string; conditional: boolean | undefined }[] }) {
  if (ends.length === 0) return <span className="muted">nothing</span>;
  return (
    <ul className={styles.ends}>
      {ends.map(({ id, conditional }) => (
        <li key={id}>
          <code>{id.replaceAll("__", "")}</code> {conditional === true && <span className="muted">on a condition</span>}
        </li>
      ))}
    </ul>
  );
}
