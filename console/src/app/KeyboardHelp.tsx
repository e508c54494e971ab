import { Fragment } from "react";

import { useExternal } from "../api";
import { Dialog, hotkeys } from "../kit";
import styles from "./shell.module.css";

/** The keyboard shortcuts of the current page. */
export function KeyboardHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  const known = useExternal(hotkeys);
  return (
    <Dialog title="Keyboard shortcuts" open={open} onClose={onClose}>
      <div className={styles.keys}>
        {known.map(({ key, does }) => (
          <Fragment key={`${key} ${does}`}>
            <kbd>{key}</kbd>
            <span>{does}</span>
          </Fragment>
        ))}
        <kbd>Esc</kbd>
        <span>Close the dialog or menu</span>
      </div>
    </Dialog>
  );
}
