import styles from "./copy.module.css";
import { shortId } from "./format";
import { Icon } from "./icons";
import { toast } from "./Toast";

/** An id: shortened unless `full`, copied by a press. `what` says whose ("run id"). */
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

/** Puts text on the clipboard and says so. Pages that are not served over https or from loopback have no clipboard. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast.good(`Copied the ${what}`);
  } catch (error) {
    toast.bad(`The ${what} could not be copied`, error);
  }
}
