import type { ReactNode } from "react";

import { Loaded, oneOf, Page, Tabs, useUrl } from "../../kit";
import { Crons } from "./Crons";
import { Overview } from "./Overview";
import { SettingsTable } from "./SettingsTable";
import styles from "./server.module.css";
import { useServer, type ServerState } from "./state";
import { Store } from "./Store";
import { Webhooks } from "./Webhooks";
import { Workers } from "./Workers";

const TABS = ["overview", "workers", "webhooks", "crons", "store", "settings"] as const;

/** The server page: overview, workers, webhooks, crons, store and settings. */
export default function ServerPage() {
  const { get, set } = useUrl();
  const server = useServer();
  const state = server.data;
  return (
    <Page title="Server">
      <Tabs
        label="Parts of the server"
        selected={oneOf(TABS, get("tab"))}
        // Drop the query string: the filters of one tab do not apply to another.
        onSelect={(tab) => set({ tab: tab === "overview" ? "" : tab, status: "", prefix: "", q: "" }, { push: true })}
        tabs={[
          {
            id: "overview",
            label: "Overview",
            content: (
              <Shown server={server} what="The state of the server">
                {(data) => <Overview state={data} />}
              </Shown>
            ),
          },
          {
            id: "workers",
            label: "Workers",
            count: state?.workers.filter((worker) => worker.alive).length,
            content: (
              <Shown server={server} what="Workers">
                {(data) => <Workers state={data} />}
              </Shown>
            ),
          },
          {
            id: "webhooks",
            label: "Webhooks",
            count: state?.webhooks.failed,
            content: (
              <Filled>
                <Webhooks />
              </Filled>
            ),
          },
          {
            id: "crons",
            label: "Crons",
            count: state?.crons.enabled,
            content: (
              <Filled>
                <Crons />
              </Filled>
            ),
          },
          {
            id: "store",
            label: "Store",
            content: (
              <Filled>
                <Store />
              </Filled>
            ),
          },
          {
            id: "settings",
            label: "Settings",
            content: (
              <Shown server={server} what="Settings">
                {(data) => <SettingsTable settings={data.settings} />}
              </Shown>
            ),
          },
        ]}
      />
    </Page>
  );
}

type ShownProps = { server: ReturnType<typeof useServer>; what: string; children: (state: ServerState) => ReactNode };

/** A tab that scrolls as a whole, also by keyboard. */
function Shown({ server, what, children }: ShownProps) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={styles.scrolls} role="group" aria-label={what} tabIndex={0}>
      <Loaded query={server} what={what}>
        {children}
      </Loaded>
    </div>
  );
}

/** A list that fills the available height and scrolls by itself. */
function Filled({ children }: { children: ReactNode }) {
  return <div className={styles.fills}>{children}</div>;
}
