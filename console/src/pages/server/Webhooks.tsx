import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { call, keys, page, queries, useListing } from "../../api";
import {
  Button,
  counted,
  Dialog,
  Empty,
  Facts,
  FilterBar,
  JsonTree,
  Loaded,
  Panel,
  Segments,
  StatusBadge,
  Time,
  toast,
  useUrl,
  VirtualTable,
  searchTerms,
  type Column,
} from "../../kit";
import styles from "./server.module.css";
import { WideTable } from "./WideTable";

type Delivery = {
  delivery_id: string;
  run_id: string;
  thread_id: string;
  run_status: string;
  url: string;
  status: "pending" | "delivered" | "failed";
  tries: number;
  created_at: string;
  next_try_at: string | null;
  finished_at: string | null;
};

type Try = { number: number; at: string; duration_ms: number; status_code: number | null; error: string | null };
type DeliveryLog = Delivery & { log: Try[]; payload: unknown };

const STATUSES = ["all", "pending", "delivered", "failed"].map((value) => ({ value, label: value }));

const COLUMNS: Column<Delivery>[] = [
  { key: "status", header: "Status", width: "100px", cell: (each) => <StatusBadge status={each.status} /> },
  {
    key: "run",
    header: "Run ended",
    width: "120px",
    from: 700,
    cell: (each) => <StatusBadge status={each.run_status} />,
  },
  {
    key: "url",
    header: "Receiver",
    width: "minmax(100px, 2fr)",
    cell: (each) => <span title={each.url}>{each.url}</span>,
  },
  { key: "tries", header: "Tries", width: "48px", align: "end", cell: (each) => each.tries },
  { key: "next", header: "Next try", width: "90px", from: 820, cell: (each) => <Time at={each.next_try_at} /> },
  {
    key: "created",
    header: "Created",
    width: "100px",
    from: 520,
    align: "end",
    cell: (each) => <Time at={each.created_at} />,
  },
];

/** Webhook deliveries, with their targets and results. */
export function Webhooks() {
  const { get, set } = useUrl();
  const found = searchTerms(get("q"));
  const threadId = found.find((word) => word.id !== null && word.name !== "run")?.id;
  const runId = found.find((word) => word.id !== null && word.name === "run")?.id;
  const query = { limit: 100, status: get("status") || undefined, thread_id: threadId, run_id: runId };
  const listing = useListing({
    queryKey: keys.webhooks("list", query),
    first: 0,
    fetch: (offset, signal) => page<Delivery>("GET", "/webhooks/deliveries", { query: { ...query, offset }, signal }),
    id: (each) => each.delivery_id,
    everyMs: 3000,
  });
  const unknown = found.some((word) => word.id === null);
  return (
    <>
      <FilterBar
        hint="thread id, or run:id"
        text={get("q")}
        onText={(q) => set({ q })}
        error={unknown ? "Write a whole thread id, or run: and a whole run id" : null}
      >
        <Segments
          label="Status"
          options={STATUSES}
          value={get("status") || "all"}
          onChange={(value) => set({ status: value === "all" ? "" : value })}
        />
      </FilterBar>
      <Panel fill bare label="List of deliveries">
        <Loaded query={listing.query} what="Deliveries">
          {(deliveries) => (
            <VirtualTable
              label="Deliveries"
              rows={deliveries}
              rowKey={(each) => each.delivery_id}
              columns={COLUMNS}
              onOpen={(each) => set({ delivery: each.delivery_id }, { push: true })}
              onEnd={listing.more}
              total={listing.total}
              foot={counted(listing.total ?? deliveries.length, "delivery", { some: "deliveries" })}
              empty={
                <Empty title="Nothing was sent">
                  <p>
                    Give a run a <code>webhook</code>, and what came of telling it stands here.
                  </p>
                </Empty>
              }
            />
          )}
        </Loaded>
      </Panel>
      <OneDelivery id={get("delivery")} onClose={() => set({ delivery: "" })} />
    </>
  );
}

function OneDelivery({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useQuery({
    queryKey: keys.webhooks("one", id),
    queryFn: ({ signal }) => call<DeliveryLog>("GET", `/webhooks/deliveries/${id}`, { signal }),
    enabled: id !== "",
    refetchInterval: ({ state }) => (state.data?.status === "pending" ? 1000 : false),
  });
  return (
    <Dialog title="Delivery" open={id !== ""} onClose={onClose} wide actions={<Redeliver id={id} />}>
      <Loaded query={query} what="The delivery">
        {(delivery) => (
          <div className={styles.stack}>
            <Facts
              items={[
                ["Status", <StatusBadge key="status" status={delivery.status} />],
                ["Receiver", delivery.url],
                [
                  "Run",
                  <Link key="run" to={`/threads/${delivery.thread_id}/runs/${delivery.run_id}`}>
                    {delivery.run_id}
                  </Link>,
                ],
                ["webhook-id", delivery.delivery_id],
                ["Next try", delivery.next_try_at && <Time at={delivery.next_try_at} />],
              ]}
            />
            <Tries log={delivery.log} />
            <h3>Payload</h3>
            <JsonTree value={delivery.payload} open={1} />
          </div>
        )}
      </Loaded>
    </Dialog>
  );
}

function Tries({ log }: { log: readonly Try[] }) {
  if (log.length === 0) return <p className="muted">It was not tried yet.</p>;
  return (
    <WideTable label="Tries" heads={["Try", "When", ">Took", "Answer"]}>
      {log.map((each) => (
        <tr key={each.number}>
          <td>{each.number}</td>
          <td>
            <Time at={each.at} />
          </td>
          <td className={styles.end}>{each.duration_ms} ms</td>
          <td>{each.status_code ?? each.error ?? "–"}</td>
        </tr>
      ))}
    </WideTable>
  );
}

function Redeliver({ id }: { id: string }) {
  const [busy, setBusy] = useState(false);
  const send = async () => {
    setBusy(true);
    try {
      await call("POST", `/webhooks/deliveries/${id}/redeliver`);
      toast.good("It is being sent again");
      await queries.invalidateQueries({ queryKey: keys.webhooks() });
    } catch (error) {
      toast.bad("It could not be sent again", error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button kind="primary" icon="send" busy={busy} onClick={() => void send()}>
      Send again
    </Button>
  );
}
