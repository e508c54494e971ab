import { classes, SearchField, Toolbar, useUrl } from "../../kit";
import styles from "./server.module.css";
import { WideTable } from "./WideTable";

/** The settings of the server process. For secrets it shows only whether they are set. */
export function SettingsTable({ settings }: { settings: Record<string, unknown> }) {
  const { get, set } = useUrl();
  const wanted = get("q").toLowerCase();
  const shown = Object.entries(settings).filter(([name]) => name.includes(wanted));
  return (
    <>
      <Toolbar label="Filters">
        <SearchField label="Name of a setting" value={get("q")} onChange={(q) => set({ q })} />
      </Toolbar>
      <WideTable label="Settings" heads={["Setting", "Value"]}>
        {shown.map(([name, value]) => (
          <tr key={name}>
            <td className="mono">{name}</td>
            <td className={classes("mono", styles.wraps)}>{textOf(value)}</td>
          </tr>
        ))}
      </WideTable>
      {shown.length === 0 && <p className="muted">No setting has this in its name.</p>}
    </>
  );
}

function textOf(value: unknown): string {
  if (value === null || value === "") return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
