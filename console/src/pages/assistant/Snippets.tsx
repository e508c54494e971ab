import { useState } from "react";

import { credentials, rootUrl, useExternal } from "../../api";
import { hasDrafts } from "../../forms";
import { Code, copy, IconButton, Panel, Segments } from "../../kit";
import styles from "./assistant.module.css";
import type { Assistant } from "./data";
import { asCurl, asPython } from "./snippets";
import { bodyOf, type Start } from "./start";

type Language = "curl" | "python";

/** The same request for elsewhere. */
export function Snippets({ assistant, start }: { assistant: Assistant; start: Start }) {
  const [language, setLanguage] = useState<Language>("curl");
  const known = useExternal(credentials);
  const body = bodyOf(assistant.assistant_id, start);
  const asked = {
    url: rootUrl,
    assistantId: assistant.assistant_id,
    threadId: start.newThread ? null : start.threadId.trim() || "…",
    body,
    header: known?.name ?? null,
  };
  const ready = !hasDrafts(body);
  const text = language === "curl" ? asCurl(asked) : asPython(asked);
  return (
    <Panel
      title="The same request"
      actions={
        <>
          <Segments
            label="Language"
            options={[
              { value: "curl", label: "curl" },
              { value: "python", label: "Python" },
            ]}
            value={language}
            onChange={setLanguage}
          />
          <IconButton
            icon="copy"
            label="Copy the request"
            disabled={!ready}
            onClick={() => void copy(text, "request")}
          />
        </>
      }
    >
      {ready ? <Code>{text}</Code> : <p className={styles.faint}>Complete the values above to see it.</p>}
    </Panel>
  );
}
