import { FilterBar, Segments, useUrl } from "../../kit";
import { STATUSES } from "./filter";

const OPTIONS = ["all", ...STATUSES].map((value) => ({ value, label: value }));

/** The filters; both live in the URL. `error` is what is wrong with the text. */
export function Filters({ error }: { error: string | null }) {
  const { get, set } = useUrl();
  return (
    <FilterBar hint="key=value of metadata, or a thread id" text={get("q")} onText={(q) => set({ q })} error={error}>
      <Segments
        label="Status"
        options={OPTIONS}
        value={get("status") || "all"}
        onChange={(value) => set({ status: value === "all" ? "" : value })}
      />
    </FilterBar>
  );
}
