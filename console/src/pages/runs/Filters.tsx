import { useQuery } from "@tanstack/react-query";

import { client, keys } from "../../api";
import { Button, FilterBar, MultiSelect, Segments, Select, useUrl } from "../../kit";
import { SINCE, STATUSES, type Filter } from "./filter";

const SPANS = [{ value: "any", label: "Any time" }, ...Object.keys(SINCE).map((value) => ({ value, label: value }))];
const ANY = "any";

/** The filters; each lives in the URL. `error` is what is wrong with the text. */
export function Filters({ filter, error }: { filter: Filter; error: string | null }) {
  const { set } = useUrl();
  const assistants = useAssistants();
  const filtered = filter.statuses.length > 0 || filter.assistant !== "" || filter.text !== "" || filter.since !== "";
  return (
    <FilterBar hint="tag:nightly  key=value  thread id" text={filter.text} onText={(q) => set({ q })} error={error}>
      <MultiSelect
        label="Status"
        placeholder="Any status"
        options={STATUSES.map((value) => ({ value, label: value }))}
        value={STATUSES.filter((status) => filter.statuses.includes(status))}
        onChange={(status) => set({ status })}
      />
      <Select
        label="Assistant"
        hideLabel
        options={[{ value: ANY, label: "Any assistant" }, ...assistants]}
        value={filter.assistant || ANY}
        onChange={(value) => set({ assistant: value === ANY ? "" : value })}
      />
      <Segments
        label="Created"
        options={SPANS}
        value={filter.since || ANY}
        onChange={(value) => set({ since: value === ANY ? "" : value })}
      />
      {filtered && (
        <Button small kind="quiet" icon="close" onClick={() => set({ status: [], assistant: "", q: "", since: "" })}>
          Clear
        </Button>
      )}
    </FilterBar>
  );
}

/** The assistants to choose from: the first hundred by name. */
function useAssistants(): { value: string; label: string }[] {
  const { data = [] } = useQuery({
    queryKey: keys.assistants("choice"),
    queryFn: () => client.assistants.search({ limit: 100, sortBy: "name", sortOrder: "asc" }),
    staleTime: 30_000,
  });
  return data.map(({ assistant_id: value, name }) => ({ value, label: name || value }));
}
