import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { ApiError, call, client, keys, messageOf, queries } from "../../api";
import { Button, Dialog, JsonEditor, Notice, parseJson, Select, TextField, toast } from "../../kit";
import styles from "./server.module.css";

const BEGIN = { assistant: "", thread: "", schedule: "0 9 * * 1-5", timezone: "", input: "{}" };

/** Creates a cron job. Validation errors from the server appear beside their fields. */
export function CronForm({ open, onClose }: { open: boolean; onClose: () => void }) {
  const [given, setGiven] = useState(BEGIN);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const { data: assistants = [] } = useQuery({
    queryKey: keys.assistants("choice"),
    queryFn: () => client.assistants.search({ limit: 100, sortBy: "name", sortOrder: "asc" }),
    enabled: open,
  });
  const put = (name: keyof typeof BEGIN) => (value: string) => setGiven({ ...given, [name]: value });
  const input = parseJson(given.input);
  const close = () => {
    setError(null);
    onClose();
  };
  const create = async () => {
    setBusy(true);
    setError(null);
    try {
      await call("POST", given.thread === "" ? "/runs/crons" : `/threads/${given.thread}/runs/crons`, {
        body: {
          assistant_id: given.assistant,
          schedule: given.schedule,
          input: input.ok ? input.value : null,
          ...(given.timezone === "" ? {} : { timezone: given.timezone }),
        },
      });
      await queries.invalidateQueries({ queryKey: keys.crons() });
      toast.good("The cron is on");
      setGiven(BEGIN);
      close();
    } catch (raised) {
      setError(raised);
    } finally {
      setBusy(false);
    }
  };
  const at = (field: string) => (error instanceof ApiError && error.field === field ? error.message : null);
  const elsewhere =
    error !== null && !["schedule", "timezone", "input", "thread_id"].some((field) => at(field) !== null);
  const ready = given.assistant !== "" && input.ok;
  const actions = (
    <>
      <Button onClick={close}>Cancel</Button>
      <Button
        kind="primary"
        busy={busy}
        disabled={!ready}
        why="It needs an assistant and an input"
        onClick={() => void create()}
      >
        Create
      </Button>
    </>
  );
  return (
    <Dialog title="New cron" open={open} onClose={close} actions={actions}>
      <div className={styles.stack}>
        {elsewhere && <Notice>{messageOf(error)}</Notice>}
        <Select
          label="Assistant"
          options={assistants.map(({ assistant_id: value, name }) => ({ value, label: name || value }))}
          value={given.assistant || null}
          onChange={put("assistant")}
        />
        <TextField
          label="Schedule"
          hint="minute, hour, day, month, weekday"
          code
          value={given.schedule}
          onChange={put("schedule")}
          error={at("schedule")}
        />
        <TextField
          label="Time zone"
          hint="an IANA name such as Europe/Berlin; UTC if empty"
          value={given.timezone}
          onChange={put("timezone")}
          error={at("timezone")}
        />
        <TextField
          label="Thread"
          hint="the id of a thread; if empty, each run gets one of its own"
          code
          value={given.thread}
          onChange={put("thread")}
          error={at("thread_id")}
        />
        <JsonEditor label="Input" value={given.input} onChange={put("input")} error={at("input")} />
      </div>
    </Dialog>
  );
}
