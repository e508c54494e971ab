import { SearchField, Toolbar, useUrl } from "../../kit";
import styles from "./server.module.css";

/** Every setting as this process has it; of secrets only whether they are set. */
export function SettingsTable({ settings }: { settings: Record<string, unknown> }) {
  const { get, set } = useUrl();
  const wanted = get("q").toLowerCase();
  const shown = Object.entries(settings).filter(([name]) => name.includes(wanted));
  return (
    <>
      <Toolbar label="Filters">
        <SearchField label="Name of a setting" value={get("q")} onChange={(q) => set({ q })} />
      </Toolbar>
      <div className={styles.scroll}>
        <table className={styles.table}>
          <thead>
            <tr>
              <th>Setting</th>
              <th>Value</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(([name, value]) => (
              <tr key={name}>
                <td className="mono">{name}</td>
                <td className="mono">{textOf(value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && <p className="muted">No setting has this in its name.</p>}
      </div>
    </>
  );
}

function textOf(value: unknown): string {
  if (value === null || value === "") return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
