import { Link } from "react-router";

import { Badge, CopyId, Time, type Column } from "../../kit";
import styles from "./assistants.module.css";
import type { Assistant } from "./useAssistants";

export const COLUMNS: readonly Column<Assistant>[] = [
  { key: "name", header: "Name", width: "minmax(130px, 1.3fr)", sort: "name", cell: (each) => <Name of={each} /> },
  {
    key: "graph",
    header: "Graph",
    width: "minmax(90px, 1fr)",
    sort: "graph_id",
    cell: ({ graph_id }) => <code className={styles.cut}>{graph_id}</code>,
  },
  {
    key: "description",
    header: "Description",
    width: "minmax(140px, 2fr)",
    from: 800,
    cell: ({ description }) => <span className={styles.cut}>{description ?? ""}</span>,
  },
  { key: "version", header: "Version", width: "70px", from: 520, align: "end", cell: ({ version }) => version },
  {
    key: "id",
    header: "Id",
    width: "150px",
    from: 960,
    cell: (each) => <CopyId id={each.assistant_id} what="assistant id" />,
  },
  {
    key: "updated",
    header: "Changed",
    width: "100px",
    from: 420,
    align: "end",
    sort: "updated_at",
    cell: (each) => <Time at={each.updated_at} />,
  },
];

function Name({ of }: { of: Assistant }) {
  const own = of.metadata?.created_by === "system";
  return (
    <span className={styles.name}>
      <Link to={`/assistants/${of.assistant_id}`}>{of.name || of.graph_id}</Link>
      {!own && <Badge tone="plum">made</Badge>}
    </span>
  );
}
