import { Loaded, oneOf, Page, Tabs, useUrl } from "../../kit";
import { Crons } from "./Crons";
import { Overview } from "./Overview";
import { SettingsTable } from "./SettingsTable";
import styles from "./server.module.css";
import { useServer } from "./state";
import { Store } from "./Store";
import { Webhooks } from "./Webhooks";
import { Workers } from "./Workers";

const TABS = ["overview", "workers", "webhooks", "crons", "store", "settings"] as const;

/** The server itself: its queue and workers, what it sends, what it starts by itself, what it keeps. */
export default function ServerPage() {
  const { get, set } = useUrl();
  const server = useServer();
  const state = server.data;
  return (
    <Page title="Server">
      <Tabs
        label="Parts of the server"
        selected={oneOf(TABS, get("tab"))}
        // What one tab filters by means nothing to another.
        onSelect={(tab) => set({ tab: tab === "overview" ? "" : tab, status: "", prefix: "", q: "" }, { push: true })}
        tabs={[
          {
            id: "overview",
            label: "Overview",
            content: (
              <div className={styles.scrolls}>
                <Loaded query={server} what="The state of the server">
                  {(data) => <Overview state={data} />}
                </Loaded>
              </div>
            ),
          },
          {
            id: "workers",
            label: "Workers",
            count: state?.workers.filter((worker) => worker.alive).length,
            content: (
              <div className={styles.scrolls}>
                <Loaded query={server} what="Workers">
                  {(data) => <Workers state={data} />}
                </Loaded>
              </div>
            ),
          },
          {
            id: "webhooks",
            label: "Webhooks",
            count: state?.webhooks.failed,
            content: (
              <div className={styles.fills}>
                <Webhooks />
              </div>
            ),
          },
          {
            id: "crons",
            label: "Crons",
            count: state?.crons.enabled,
            content: (
              <div className={styles.fills}>
                <Crons />
              </div>
            ),
          },
          {
            id: "store",
            label: "Store",
            content: (
              <div className={styles.fills}>
                <Store />
              </div>
            ),
          },
          {
            id: "settings",
            label: "Settings",
            content: (
              <div className={styles.scrolls}>
                <Loaded query={server} what="Settings">
                  {(data) => <SettingsTable settings={data.settings} />}
                </Loaded>
              </div>
            ),
          },
        ]}
      />
    </Page>
  );
}
