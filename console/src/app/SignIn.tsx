import { useState } from "react";

import { connection, queries, reportSignedIn, signIn, useExternal } from "../api";
import { Button, Dialog, Notice, Segments, TextField } from "../kit";
import styles from "./shell.module.css";

type Way = "bearer" | "key" | "other";

const WAYS: readonly { value: Way; label: string }[] = [
  { value: "bearer", label: "Bearer token" },
  { value: "key", label: "x-api-key" },
  { value: "other", label: "Other header" },
];

/** Asks who is there when the server does not let us in. What is entered stays in this tab and goes with every call. */
export function SignIn() {
  const state = useExternal(connection);
  if (state.kind !== "refused") return null;
  return (
    <Dialog title="Sign in" open>
      <Notice>
        The server answered {state.status}: {state.detail}
      </Notice>
      <Form />
    </Dialog>
  );
}

function Form() {
  const [way, setWay] = useState<Way>("bearer");
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const header = way === "bearer" ? "Authorization" : way === "key" ? "x-api-key" : name.trim();
  const valid = secret.trim() !== "" && /^[\w!#$%&'*+.^`|~-]+$/.test(header);
  const enter = () => {
    if (!valid) return;
    reportSignedIn();
    signIn({ name: header, value: way === "bearer" ? `Bearer ${secret.trim()}` : secret.trim() });
    void queries.resetQueries();
  };
  return (
    <form
      className={styles.signin}
      onSubmit={(event) => {
        event.preventDefault();
        enter();
      }}
    >
      <Segments label="How" options={WAYS} value={way} onChange={setWay} />
      {way === "other" && <TextField label="Header" code value={name} onChange={setName} placeholder="x-my-auth" />}
      <TextField
        label={way === "bearer" ? "Token" : "Value"}
        type="password"
        code
        value={secret}
        onChange={setSecret}
        hint="Kept in this tab only, and sent to this server only."
      />
      <Button kind="primary" type="submit" disabled={!valid}>
        Sign in
      </Button>
    </form>
  );
}
