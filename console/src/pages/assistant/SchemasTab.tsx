import { isRecord, type Schema } from "../../forms";
import { Empty, JsonTree, Loaded, Panel, Segments, oneOf, useUrl } from "../../kit";
import styles from "./assistant.module.css";
import { useSchemas, type Schemas } from "./data";
import { SchemaTree } from "./SchemaTree";

const PARTS = ["input", "output", "state", "context", "config"] as const;
type Part = (typeof PARTS)[number];

const WAYS = [
  { value: "tree", label: "Fields" },
  { value: "json", label: "JSON schema" },
] as const;

/** What goes into the graph, what comes out, and what it keeps: `?schema=` and `?as=`. */
export function SchemasTab({ assistantId }: { assistantId: string }) {
  const schemas = useSchemas(assistantId);
  const { get, set } = useUrl();
  const part = oneOf(PARTS, get("schema"));
  const way = oneOf(["tree", "json"], get("as"));
  return (
    <div className={styles.column}>
      <div className={styles.bar}>
        <Segments
          label="Schema"
          options={PARTS.map((value) => ({ value, label: value }))}
          value={part}
          onChange={(value) => set({ schema: value })}
        />
        <Segments label="Shown as" options={WAYS} value={way} onChange={(value) => set({ as: value })} />
      </div>
      <Panel fill label={`Schema of the ${part}`}>
        <Loaded query={schemas} what="The schemas">
          {(known) => <Shown schema={of(known, part)} part={part} raw={way === "json"} />}
        </Loaded>
      </Panel>
    </div>
  );
}

function Shown({ schema, part, raw }: { schema: Schema | null; part: Part; raw: boolean }) {
  if (!isRecord(schema) || Object.keys(schema).length === 0) {
    return (
      <Empty title={`This graph has no schema of its ${part}`}>
        <p>{WHY[part]}</p>
      </Empty>
    );
  }
  return raw ? <JsonTree key={part} value={schema} open={2} /> : <SchemaTree key={part} schema={schema} />;
}

const WHY: Record<Part, string> = {
  input: "Its type has no JSON schema: any JSON is taken.",
  output: "Its type has no JSON schema.",
  state: "Its type has no JSON schema.",
  context: "Give the graph a context_schema, and runs get a form for it.",
  config: "It has none where there is no context, either.",
};

function of(schemas: Schemas, part: Part): Schema | null {
  return schemas[`${part}_schema`];
}
