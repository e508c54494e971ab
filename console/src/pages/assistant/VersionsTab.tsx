import { useState } from "react";

import { client } from "../../api";
import { Badge, Button, classes, Confirm, JsonTree, Loaded, Panel, Time, toast, useUrl } from "../../kit";
import { diffOf } from "../thread/diff";
import styles from "./assistant.module.css";
import { Changes } from "./Changes";
import { assistantsChanged, useVersions, type Assistant, type AssistantVersion } from "./data";

/** Every version, what changed between two of them (`?from=&to=`), and a way back to an older one. */
export function VersionsTab({ assistant }: { assistant: Assistant }) {
  const versions = useVersions(assistant.assistant_id);
  return (
    <Loaded query={versions} what="The versions">
      {(known) => <Versions assistant={assistant} versions={known} />}
    </Loaded>
  );
}

type VersionsProps = { assistant: Assistant; versions: readonly AssistantVersion[] };

function Versions({ assistant, versions }: VersionsProps) {
  const { get, set } = useUrl();
  const [asked, setAsked] = useState<AssistantVersion | null>(null);
  const numbered = (text: string) => versions.find((each) => each.version === Number(text));
  const to = numbered(get("to")) ?? numbered(String(assistant.version)) ?? versions[0];
  const from = numbered(get("from")) ?? versions.find((each) => to !== undefined && each.version < to.version) ?? to;
  if (to === undefined || from === undefined) return null;
  return (
    <div className={styles.versions}>
      <Panel title="Versions" bare>
        <ol className={styles.versionList}>
          {versions.map((version) => (
            <li key={version.version} className={classes(styles.version)}>
              <div className={styles.versionHead}>
                <strong>Version {version.version}</strong>
                {version.version === assistant.version && <Badge tone="good">latest</Badge>}
                <Time at={version.created_at} />
              </div>
              <div className="muted">{version.name}</div>
              <div className={styles.picks}>
                <Pick label="from" version={version} chosen={from} onPick={(number) => set({ from: number })} />
                <Pick label="to" version={version} chosen={to} onPick={(number) => set({ to: number })} />
                {version.version !== assistant.version && (
                  <Button small onClick={() => setAsked(version)}>
                    Make latest
                  </Button>
                )}
              </div>
            </li>
          ))}
        </ol>
      </Panel>
      <div className={styles.column}>
        <Panel title={from === to ? `Version ${to.version}` : `From version ${from.version} to ${to.version}`}>
          {from === to ? (
            <JsonTree value={partsOf(to)} open={3} />
          ) : (
            <Changes changes={diffOf(partsOf(from), partsOf(to))} />
          )}
        </Panel>
      </div>
      <MakeLatest assistant={assistant} version={asked} onClose={() => setAsked(null)} />
    </div>
  );
}

type PickProps = {
  label: "from" | "to";
  version: AssistantVersion;
  chosen: AssistantVersion;
  onPick: (version: string) => void;
};

function Pick({ label, version, chosen, onPick }: PickProps) {
  return (
    <label className={styles.pick}>
      <input
        type="radio"
        name={`version-${label}`}
        checked={version.version === chosen.version}
        onChange={() => onPick(String(version.version))}
        aria-label={`Compare ${label} version ${version.version}`}
      />
      {label}
    </label>
  );
}

type MakeLatestProps = { assistant: Assistant; version: AssistantVersion | null; onClose: () => void };

function MakeLatest({ assistant, version, onClose }: MakeLatestProps) {
  const make = async () => {
    if (version === null) return;
    await client.assistants.setLatest(assistant.assistant_id, version.version);
    await assistantsChanged();
    toast.good(`Version ${version.version} is the latest`);
  };
  return (
    <Confirm
      title={`Make version ${version?.version ?? ""} the latest`}
      open={version !== null}
      onClose={onClose}
      action="Make latest"
      danger={false}
      run={make}
    >
      <p>Runs that start from now on use it. Those that go on stay as they are, and no version is lost.</p>
    </Confirm>
  );
}

/** What a version is made of: the rest is when and under which number. */
function partsOf({ graph_id, name, description, config, context, metadata }: AssistantVersion) {
  return { graph_id, name, description: description ?? null, config, context, metadata };
}
