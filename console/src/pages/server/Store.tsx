import { useState } from "react";

import { call, keys, queries, useListing, type ListPage } from "../../api";
import {
  Button,
  Confirm,
  counted,
  Empty,
  FilterBar,
  Loaded,
  Panel,
  Time,
  toast,
  useUrl,
  VirtualTable,
  type Column,
} from "../../kit";
import { ItemForm, type Item } from "./ItemForm";
import { NamespaceTree } from "./NamespaceTree";
import styles from "./server.module.css";

const PAGE = 100;
const NEW: Item = { namespace: [], key: "", value: {} };

const COLUMNS: Column<Item>[] = [
  {
    key: "namespace",
    header: "Namespace",
    width: "minmax(90px, 1fr)",
    from: 560,
    cell: (item) => <code>{item.namespace.join(" / ")}</code>,
  },
  { key: "key", header: "Key", width: "minmax(90px, 1fr)", cell: (item) => <code>{item.key}</code> },
  {
    key: "value",
    header: "Value",
    width: "minmax(120px, 3fr)",
    cell: (item) => <code className={styles.line}>{JSON.stringify(item.value)}</code>,
  },
  {
    key: "updated",
    header: "Changed",
    width: "90px",
    from: 480,
    align: "end",
    cell: (item) => <Time at={item.updated_at} />,
  },
];

/** The items of the store, by namespace. */
export function Store() {
  const { get, all, set } = useUrl();
  const [edited, setEdited] = useState<Item | null>(null);
  const [deleting, setDeleting] = useState<Item | null>(null);
  const prefix = all("prefix");
  const asked = { namespace_prefix: prefix, limit: PAGE, ...(get("q") === "" ? {} : { query: get("q") }) };
  const listing = useListing({
    queryKey: keys.store("items", asked),
    first: 0,
    fetch: async (offset: number, signal): Promise<ListPage<Item, number>> => {
      const body = { ...asked, offset, refresh_ttl: false };
      const { items } = await call<{ items: Item[] }>("POST", "/store/items/search", { body, signal });
      return { items, next: items.length < PAGE ? null : offset + PAGE };
    },
    id: idOf,
    everyMs: 5000,
  });
  return (
    <>
      <FilterBar hint="search by meaning or text" text={get("q")} onText={(q) => set({ q })}>
        <Button icon="plus" onClick={() => setEdited({ ...NEW, namespace: prefix })}>
          New item
        </Button>
      </FilterBar>
      <div className={styles.columns}>
        <Panel title="Namespaces" fill bare>
          <NamespaceTree selected={prefix} onSelect={(namespace) => set({ prefix: namespace }, { push: true })} />
        </Panel>
        <Panel fill bare label="List of items">
          <Loaded query={listing.query} what="Items">
            {(items) => (
              <VirtualTable
                label="Items"
                rows={items}
                rowKey={idOf}
                columns={COLUMNS}
                onOpen={setEdited}
                onEnd={listing.more}
                foot={counted(items.length, "item", { more: listing.hasMore })}
                keys={[{ key: "d", does: "Delete the item", run: setDeleting }]}
                empty={
                  <Empty title="Nothing is stored here">
                    <p>Graphs put items here through their store; you can, too.</p>
                  </Empty>
                }
              />
            )}
          </Loaded>
        </Panel>
      </div>
      {edited !== null && (
        <ItemForm
          item={edited}
          onClose={() => setEdited(null)}
          onDelete={() => {
            setDeleting(edited);
            setEdited(null);
          }}
        />
      )}
      <Confirm
        title={`Delete ${deleting?.key ?? ""}?`}
        action="Delete the item"
        open={deleting !== null}
        onClose={() => setDeleting(null)}
        run={async () => {
          await call("DELETE", "/store/items", { body: { namespace: deleting?.namespace, key: deleting?.key } });
          await queries.invalidateQueries({ queryKey: keys.store() });
          toast.good("Deleted the item");
        }}
      >
        <p>Graphs that look for it will not find it any more.</p>
      </Confirm>
    </>
  );
}

function idOf(item: Item): string {
  return JSON.stringify([item.namespace, item.key]);
}
