import { useState } from "react";
import { useNavigate, useParams } from "react-router";

import { CopyId, Loaded, oneOf, Page, Tabs, Time, useUrl, Badge } from "../../kit";
import { AssistantActions } from "./AssistantActions";
import styles from "./assistant.module.css";
import { useAssistant, useSchemas, type Assistant, type Schemas } from "./data";
import { initial } from "../../forms";
import { GraphTab } from "./GraphTab";
import { RunsTab } from "./RunsTab";
import { SchemasTab } from "./SchemasTab";
import { newStart, type Start } from "./start";
import { StartTab } from "./StartTab";
import { VersionsTab } from "./VersionsTab";

const TABS = ["start", "graph", "schemas", "versions", "runs"] as const;
const CRUMBS = [{ label: "Assistants", to: "/assistants" }];

export default function AssistantPage() {
  const { assistantId = "" } = useParams();
  const assistant = useAssistant(assistantId);
  if (assistant.data !== undefined) return <Shown key={assistant.data.assistant_id} assistant={assistant.data} />;
  return (
    <Page title="Assistant" crumbs={CRUMBS}>
      <Loaded query={assistant} what="The assistant">
        {() => null}
      </Loaded>
    </Page>
  );
}

function Shown({ assistant }: { assistant: Assistant }) {
  const { get, set } = useUrl();
  const navigate = useNavigate();
  const tab = oneOf(TABS, get("tab"));
  // What is being written outlives a look at the other tabs.
  const [start, setStart] = useStart(assistant, get("thread"));
  const id = assistant.assistant_id;
  const content = {
    start: start && <StartTab assistant={assistant} start={start} onChange={setStart} />,
    graph: <GraphTab assistantId={id} name={assistant.name} />,
    schemas: <SchemasTab assistantId={id} />,
    versions: <VersionsTab assistant={assistant} />,
    runs: <RunsTab assistantId={id} onStart={() => set({ tab: "" })} />,
  };
  return (
    <Page
      title={assistant.name || assistant.graph_id}
      crumbs={CRUMBS}
      aside={
        <>
          {assistant.name !== assistant.graph_id && <Badge title="Its graph">{assistant.graph_id}</Badge>}
          <span className="muted">version {assistant.version}</span>
          <CopyId id={id} what="assistant id" />
          <span className="muted">
            changed <Time at={assistant.updated_at} />
          </span>
        </>
      }
      actions={<AssistantActions assistant={assistant} onGone={() => void navigate("/assistants")} />}
    >
      <About assistant={assistant} />
      <div className={styles.tabs}>
        <Tabs
          label="Views of the assistant"
          selected={tab}
          onSelect={(next) => set({ tab: next === "start" ? "" : next }, { push: true })}
          tabs={TABS.map((each) => ({ id: each, label: LABELS[each], content: content[each] }))}
        />
      </div>
    </Page>
  );
}

const LABELS = { start: "Start", graph: "Graph", schemas: "Schemas", versions: "Versions", runs: "Runs" } as const;

/** What is being asked for: from the schema's first value on, once that is known. */
function useStart(assistant: Assistant, threadId: string): [Start | null, (start: Start) => void] {
  const [start, setStart] = useState<Start | null>(null);
  const schemas = useSchemas(assistant.assistant_id);
  const first = start ?? (schemas.data ? newStart(firstInput(schemas.data), threadId) : null);
  // Without schemas the tab says what is wrong, and there is still JSON.
  return [first ?? newStart({}, threadId), setStart];
}

function firstInput({ input_schema }: Schemas): unknown {
  return input_schema === null ? {} : (initial(input_schema, input_schema) ?? {});
}

function About({ assistant }: { assistant: Assistant }) {
  const metadata = Object.entries(assistant.metadata ?? {}).filter(([key]) => key !== "created_by");
  if (!assistant.description && metadata.length === 0) return null;
  return (
    <div className={styles.about}>
      {assistant.description && <p>{assistant.description}</p>}
      {metadata.length > 0 && (
        <span className={styles.badges} role="group" aria-label="Metadata">
          {metadata.map(([key, value]) => (
            <Badge key={key}>
              {key}={typeof value === "string" ? value : JSON.stringify(value)}
            </Badge>
          ))}
        </span>
      )}
    </div>
  );
}
