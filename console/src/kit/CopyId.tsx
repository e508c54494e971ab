import styles from "./copy.module.css";
import { shortId } from "./format";
import { Icon } from "./icons";
import { toast } from "./Toast";

/** An id, shortened unless `full`, with click to copy. `what` names it ("run id"). */
export function CopyId({ id, what = "id", full }: { id: string; what?: string; full?: boolean }) {
  return (
    <button
      type="button"
      className={styles.copy}
      title={`${id}: copy`}
      onClick={(event) => {
        event.stopPropagation();
        event.preventDefault();
        void copy(id, what);
      }}
    >
      <span>{full ? id : shortId(id)}</span>
      <span className="visually-hidden">, copy the {what}</span>
      <Icon name="copy" size={12} />
    </button>
  );
}

/** Copy text to the clipboard and show a toast. Browsers offer no clipboard to pages served over plain HTTP. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast.good(`Copied the ${what}`);
  } catch (error) {
    toast.bad(`The ${what} could not be copied`, error);
  }
}
