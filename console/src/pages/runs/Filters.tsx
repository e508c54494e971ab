import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { client, keys } from "../../api";
import { Button, MultiSelect, SearchField, Segments, Select, Toolbar, useUrl } from "../../kit";
import { SINCE, STATUSES, type Filter } from "./filter";
import styles from "./runs.module.css";

const TYPING_MS = 250;
const SPANS = [{ value: "any", label: "Any time" }, ...Object.keys(SINCE).map((value) => ({ value, label: value }))];
const ANY = "any";

/** The filters; each lives in the URL. `error` is what is wrong with the text. */
export function Filters({ filter, error }: { filter: Filter; error: string | null }) {
  const { set } = useUrl();
  const assistants = useAssistants();
  const [text, setText] = useTyped(filter.text, (q) => set({ q }));
  const filtered = filter.statuses.length > 0 || filter.assistant !== "" || filter.text !== "" || filter.since !== "";
  const clear = () => {
    setText("");
    set({ status: [], assistant: "", q: "", since: "" });
  };
  return (
    <Toolbar label="Filters">
      <div className={styles.search}>
        <SearchField label="tag:nightly  key=value  thread id" value={text} onChange={setText} />
      </div>
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
        <Button small kind="quiet" icon="close" onClick={clear}>
          Clear
        </Button>
      )}
      {error !== null && (
        <p className={styles.wrong} role="alert">
          {error}
        </p>
      )}
    </Toolbar>
  );
}

/** Text that is told after a pause in typing, and follows `given` when that changes elsewhere (Back, a link). */
function useTyped(given: string, tell: (text: string) => void): [string, (text: string) => void] {
  const [text, setText] = useState(given);
  const [known, setKnown] = useState(given);
  if (known !== given) {
    setKnown(given);
    setText(given);
  }
  useEffect(() => {
    if (text === given) return;
    const timer = setTimeout(() => tell(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, given, tell]);
  return [text, setText];
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
