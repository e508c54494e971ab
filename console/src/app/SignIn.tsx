import { useState } from "react";

import { connection, queries, reportSignedIn, signIn, useExternal } from "../api";
import { Button, Dialog, Notice, Segments, TextField } from "../kit";
import styles from "./shell.module.css";

type Scheme = "bearer" | "key" | "other";

const SCHEMES: readonly { value: Scheme; label: string }[] = [
  { value: "bearer", label: "Bearer token" },
  { value: "key", label: "x-api-key" },
  { value: "other", label: "Other header" },
];

/** Asks for credentials after a 401 or 403. They stay in this tab and are sent with every call. */
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
  const [scheme, setScheme] = useState<Scheme>("bearer");
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const header = scheme === "bearer" ? "Authorization" : scheme === "key" ? "x-api-key" : name.trim();
  const valid = secret.trim() !== "" && /^[\w!#$%&'*+.^`|~-]+$/.test(header);
  const enter = () => {
    if (!valid) return;
    reportSignedIn();
    signIn({ name: header, value: scheme === "bearer" ? `Bearer ${secret.trim()}` : secret.trim() });
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
      <Segments label="Authentication" options={SCHEMES} value={scheme} onChange={setScheme} />
      {scheme === "other" && <TextField label="Header" code value={name} onChange={setName} placeholder="x-my-auth" />}
      <TextField
        label={scheme === "bearer" ? "Token" : "Value"}
        type="password"
        code
        value={secret}
        onChange={setSecret}
        hint="Stored in this tab only and sent to this server only."
      />
      <Button kind="primary" type="submit" disabled={!valid}>
        Sign in
      </Button>
    </form>
  );
}
