import { useState } from "react";
import { Link } from "react-router";

import { call, keys, page, queries, useListing } from "../../api";
import {
  Badge,
  Button,
  Confirm,
  counted,
  CopyId,
  Empty,
  Loaded,
  Panel,
  shortId,
  Time,
  toast,
  Toolbar,
  VirtualTable,
  type Column,
} from "../../kit";
import { CronForm } from "./CronForm";

export type Cron = {
  cron_id: string;
  assistant_id: string;
  thread_id: string | null;
  schedule: string;
  timezone: string | null;
  next_run_date: string | null;
  end_time: string | null;
  enabled: boolean;
  created_at: string;
};

/** The cron jobs that start runs on a schedule. */
export function Crons() {
  const [creating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<Cron | null>(null);
  const listing = useListing({
    queryKey: keys.crons("list"),
    first: 0,
    fetch: (offset, signal) => page<Cron>("POST", "/runs/crons/search", { body: { limit: 100, offset }, signal }),
    id: (cron) => cron.cron_id,
    everyMs: 5000,
  });
  const create = (
    <Button icon="plus" onClick={() => setCreating(true)}>
      New cron
    </Button>
  );
  return (
    <>
      <Toolbar label="Actions">{create}</Toolbar>
      <Panel fill bare label="List of crons">
        <Loaded query={listing.query} what="Crons">
          {(crons) => (
            <VirtualTable
              label="Crons"
              rows={crons}
              rowKey={(cron) => cron.cron_id}
              columns={columnsFor(setDeleting)}
              onEnd={listing.more}
              total={listing.total}
              foot={counted(listing.total ?? crons.length, "cron")}
              empty={
                <Empty title="No crons" actions={create}>
                  <p>A cron starts a run whenever its time comes, once, however many servers there are.</p>
                </Empty>
              }
            />
          )}
        </Loaded>
      </Panel>
      <CronForm open={creating} onClose={() => setCreating(false)} />
      <Confirm
        title="Delete this cron?"
        action="Delete the cron"
        open={deleting !== null}
        onClose={() => setDeleting(null)}
        run={async () => {
          await call("DELETE", `/runs/crons/${deleting?.cron_id ?? ""}`);
          await changed();
          toast.good("Deleted the cron");
        }}
      >
        <p>It starts no more runs. Those that it started stay.</p>
      </Confirm>
    </>
  );
}

function changed(): Promise<void> {
  return queries.invalidateQueries({ queryKey: keys.crons() });
}

async function turn(cron: Cron): Promise<void> {
  try {
    await call("PATCH", `/runs/crons/${cron.cron_id}`, { body: { enabled: !cron.enabled } });
    await changed();
    toast.good(cron.enabled ? "Turned off" : "Turned on");
  } catch (error) {
    toast.bad("The cron could not be changed", error);
  }
}

function columnsFor(remove: (cron: Cron) => void): Column<Cron>[] {
  return [
    {
      key: "enabled",
      header: "State",
      width: "44px",
      cell: (cron) => <Badge tone={cron.enabled ? "good" : "idle"}>{cron.enabled ? "on" : "off"}</Badge>,
    },
    { key: "schedule", header: "Schedule", width: "minmax(84px, 1fr)", cell: (cron) => <code>{cron.schedule}</code> },
    { key: "zone", header: "Zone", width: "110px", from: 760, cell: (cron) => cron.timezone ?? "UTC" },
    { key: "next", header: "Next run", width: "90px", from: 480, cell: (cron) => <Time at={cron.next_run_date} /> },
    {
      key: "thread",
      header: "Thread",
      width: "110px",
      from: 640,
      cell: (cron) =>
        cron.thread_id === null ? (
          "a new one"
        ) : (
          <Link to={`/threads/${cron.thread_id}`}>{shortId(cron.thread_id)}</Link>
        ),
    },
    {
      key: "assistant",
      header: "Assistant",
      width: "100px",
      from: 560,
      cell: (cron) => <Link to={`/assistants/${cron.assistant_id}`}>{shortId(cron.assistant_id)}</Link>,
    },
    {
      key: "id",
      header: "Cron",
      width: "130px",
      from: 980,
      cell: (cron) => <CopyId id={cron.cron_id} what="cron id" />,
    },
    {
      key: "actions",
      header: "",
      width: "128px",
      align: "end",
      cell: (cron) => (
        <>
          <Button small kind="quiet" onClick={() => void turn(cron)}>
            {cron.enabled ? "Turn off" : "Turn on"}
          </Button>
          <Button
            small
            kind="quiet"
            icon="trash"
            aria-label={`Delete cron ${cron.cron_id}`}
            onClick={() => remove(cron)}
          />
        </>
      ),
    },
  ];
}
