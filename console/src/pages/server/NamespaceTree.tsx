import { useQuery } from "@tanstack/react-query";

import { call, keys } from "../../api";
import { Loaded } from "../../kit";
import { withParents } from "./namespaces";
import styles from "./server.module.css";

const AT_MOST = 1000;

type NamespaceTreeProps = { selected: readonly string[]; onSelect: (namespace: string[]) => void };

/** The namespaces as a tree, indented by depth. The first entry selects all of them. */
export function NamespaceTree({ selected, onSelect }: NamespaceTreeProps) {
  const query = useQuery({
    queryKey: keys.store("namespaces"),
    queryFn: async ({ signal }) => {
      const body = { limit: AT_MOST };
      const found = await call<{ namespaces: string[][] }>("POST", "/store/namespaces", { body, signal });
      return withParents(found.namespaces);
    },
    refetchInterval: 5000,
  });
  const chosen = JSON.stringify(selected);
  return (
    <Loaded query={query} what="Namespaces">
      {(namespaces) => (
        <ul className={styles.namespaces}>
          {[[], ...namespaces].map((namespace) => {
            const id = JSON.stringify(namespace);
            return (
              <li key={id} style={{ paddingInlineStart: Math.max(0, namespace.length - 1) * 14 }}>
                <button type="button" aria-pressed={id === chosen} onClick={() => onSelect(namespace)}>
                  {namespace.at(-1) ?? "all"}
                </button>
              </li>
            );
          })}
          {namespaces.length >= AT_MOST && <li className="muted">and more: narrow them by search</li>}
        </ul>
      )}
    </Loaded>
  );
}
