import { JsonTree } from "../kit";
import styles from "./chat.module.css";
import { isShown, type Block, type Source } from "./content";
import { Markdown } from "./Markdown";

type BlocksProps = {
  blocks: readonly Block[];
  /** As it was typed, not as markdown: what tools return, what people enter. */
  plain?: boolean;
  /** More is to come: a caret blinks behind the last text. */
  live?: boolean;
};

/** What a message says, part by part. */
export function Blocks({ blocks, plain, live }: BlocksProps) {
  return blocks.map((block, index) => (
    // Parts of a message only grow and never move.
    <OneBlock key={index} block={block} plain={plain === true} live={live === true && index === blocks.length - 1} />
  ));
}

function OneBlock({ block, plain, live }: { block: Block; plain: boolean; live: boolean }) {
  if (block.kind === "text") {
    return (
      <div className={live ? styles.live : undefined}>
        {plain ? <div className={styles.plain}>{block.text}</div> : <Markdown text={block.text} />}
        {block.sources.length > 0 && <Sources sources={block.sources} />}
      </div>
    );
  }
  if (block.kind === "reasoning") return <Reasoning text={block.text} live={live} />;
  if (block.kind === "media") return <Media block={block} />;
  return (
    <details className={styles.fold}>
      <summary>{block.name}</summary>
      <div className={styles.foldBody}>
        <JsonTree value={block.value} />
      </div>
    </details>
  );
}

/** What the model thought. Open while it thinks. */
function Reasoning({ text, live }: { text: string; live: boolean }) {
  return (
    <details className={styles.fold} open={live || undefined}>
      <summary>{live ? "Thinking…" : "Reasoning"}</summary>
      <div className={styles.foldBody}>
        <div className={styles.thought}>
          <Markdown text={text} />
        </div>
      </div>
    </details>
  );
}

function Sources({ sources }: { sources: readonly Source[] }) {
  return (
    <ul className={styles.sources} aria-label="Sources">
      {sources.map((source, index) => (
        <li key={index}>
          {source.url === null ? (
            source.title
          ) : (
            <a href={safe(source.url)} target="_blank" rel="noopener noreferrer nofollow">
              {source.title}
            </a>
          )}
        </li>
      ))}
    </ul>
  );
}

function Media({ block }: { block: Extract<Block, { kind: "media" }> }) {
  if (isShown(block)) return <img className={styles.image} src={block.url ?? ""} alt={block.name} />;
  const what = `${block.media}${block.type ? `, ${block.type}` : ""}`;
  const named = block.name === block.media ? what : `${block.name} (${what})`;
  if (block.url === null) return <div className={styles.media}>{named}</div>;
  const data = block.url.startsWith("data:");
  return (
    <div className={styles.media}>
      <a
        href={data ? block.url : safe(block.url)}
        {...(data ? { download: block.name } : { target: "_blank" })}
        rel="noopener noreferrer nofollow"
      >
        {named}
      </a>
    </div>
  );
}

/** Only addresses of the web: `javascript:` and its like lead nowhere. */
function safe(url: string): string | undefined {
  return /^https?:\/\//i.test(url) ? url : undefined;
}
