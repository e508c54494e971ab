import { memo, useMemo, useState } from "react";

import type { FeedEvent } from "../../api";
import { digest, Matches } from "../../events";
import {
  classes,
  clock,
  count,
  Empty,
  Icon,
  JsonTree,
  MultiSelect,
  SearchField,
  Select,
  useUrl,
  VirtualList,
} from "../../kit";
import styles from "./run.module.css";
import type { RunShown } from "./useRunView";

/** Every event as it came, by mode, subgraph and text. */
export function EventsPanel({ shown }: { shown: RunShown }) {
  const { events, count: seen, view } = shown;
  const url = useUrl();
  const modes = url.all("mode");
  const namespace = url.get("ns");
  const text = url.get("q");
  const asked = modes.join("\n");
  const matches = useMemo(() => {
    const filter = { modes: asked === "" ? [] : asked.split("\n"), namespace: namespaceOf(namespace), text };
    return new Matches(filter, events);
  }, [asked, namespace, text, events]);
  const found = matches.among(seen);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const namespaces = [...view.states.graphs.keys()].filter((key) => key !== "");
  const toggle = (place: number) =>
    setOpened((before) => {
      const after = new Set(before);
      if (!after.delete(place)) after.add(place);
      return after;
    });

  return (
    <div className={styles.stack}>
      <div className={styles.bar}>
        <SearchField label="Text" placeholder="Filter by text" value={text} onChange={(q) => url.set({ q })} />
        <div className={styles.choice}>
          <MultiSelect
            label="Modes"
            placeholder="All modes"
            options={[...view.summary.modes].map(([mode, number]) => ({
              value: mode,
              label: `${mode} (${count(number)})`,
            }))}
            value={modes}
            onChange={(mode) => url.set({ mode })}
          />
        </div>
        {(namespaces.length > 0 || namespace !== "") && (
          <Select
            label="Graph"
            hideLabel
            options={[
              { value: "all", label: "all graphs" },
              { value: "root", label: "the graph itself" },
              ...namespaces.map((each) => ({ value: each, label: nameOf(each) })),
            ]}
            value={namespace || "all"}
            onChange={(value) => url.set({ ns: value === "all" ? null : value })}
          />
        )}
        <span className="muted" data-testid="matches">
          {count(found.length)} of {count(seen)}
        </span>
      </div>
      <div className={styles.rest}>
        <VirtualList
          label="Events"
          items={found}
          itemKey={(place) => place}
          estimate={27}
          follow={!shown.playback.live || shown.feed.phase !== "ended"}
          render={(place) => {
            const event = events[place];
            return event === undefined ? null : (
              <EventRow
                event={event}
                place={place}
                from={shown.playback.from}
                open={opened.has(place)}
                onToggle={toggle}
              />
            );
          }}
          empty={
            seen === 0 ? (
              <Empty title="No events yet" />
            ) : (
              <Empty title="No event is like that">
                <p>Take some of the filter away.</p>
              </Empty>
            )
          }
        />
      </div>
    </div>
  );
}

type RowProps = { event: FeedEvent; place: number; from: number; open: boolean; onToggle: (place: number) => void };

const EventRow = memo(function EventRow({ event, place, from, open, onToggle }: RowProps) {
  return (
    <div className={styles.event}>
      <button type="button" className={styles.eventHead} aria-expanded={open} onClick={() => onToggle(place)}>
        <span className={classes(styles.turn, open && styles.turned)}>
          <Icon name="right" size={12} />
        </span>
        <span className={styles.seq}>{event.seq > 0 ? event.seq : "–"}</span>
        <span className={styles.since} title={clock(event.at)}>
          +{((event.at - from) / 1000).toFixed(3)}
        </span>
        <span className={styles.mode}>{event.mode}</span>
        {event.namespace.length > 0 && <span className={styles.ns}>{nameOf(event.namespace.join("|"))}</span>}
        <span className={styles.digest}>{digest(event)}</span>
      </button>
      {open && (
        <div className={styles.eventBody}>
          <JsonTree value={event.data} open={2} />
        </div>
      )}
    </div>
  );
});

/** What the URL says of it: nothing is all graphs, `root` the outermost. */
function namespaceOf(said: string): string | null {
  if (said === "") return null;
  return said === "root" ? "" : said;
}

function nameOf(namespace: string): string {
  return namespace
    .split("|")
    .map((part) => part.split(":")[0])
    .join(" › ");
}
