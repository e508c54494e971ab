import { useState, type ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";

import { messageOf } from "../api";
import { Button, IconButton } from "./Button";
import { classes } from "./classes";
import styles from "./dialog.module.css";
import field from "./field.module.css";

type DialogProps = {
  title: string;
  open: boolean;
  /** Without it the user cannot dismiss the dialog. */
  onClose?: (() => void) | undefined;
  children: ReactNode;
  /** The buttons at the bottom, the main action last. */
  actions?: ReactNode;
  wide?: boolean;
};

/** A modal dialog that traps focus. Escape or a click outside closes it. */
export function Dialog({ title, open, onClose, children, actions, wide }: DialogProps) {
  return (
    <ModalOverlay
      className={styles.overlay ?? ""}
      isOpen={open}
      isDismissable={onClose !== undefined}
      isKeyboardDismissDisabled={onClose === undefined}
      onOpenChange={(next) => {
        if (!next) onClose?.();
      }}
    >
      <Modal className={classes(styles.modal, wide && styles.wide)}>
        <AriaDialog className={styles.dialog ?? ""}>
          <div className={styles.head}>
            <Heading slot="title" level={2}>
              {title}
            </Heading>
            {onClose && <IconButton icon="close" label="Close" small onClick={onClose} />}
          </div>
          <div className={styles.body}>{children}</div>
          {actions !== undefined && <div className={styles.foot}>{actions}</div>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

type ConfirmProps = {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
  /** The text of the button, a verb: "Delete 3 runs". */
  action: string;
  danger?: boolean;
  /** The dialog closes on success and shows the error on failure. */
  run: () => Promise<unknown>;
};

/** Asks for confirmation before an irreversible action. */
export function Confirm({ title, open, onClose, children, action, danger = true, run }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const close = () => {
    setError(null);
    onClose();
  };
  const go = async () => {
    setBusy(true);
    setError(null);
    try {
      await run();
      close();
    } catch (raised) {
      setError(raised);
    } finally {
      setBusy(false);
    }
  };
  const actions = (
    <>
      <Button onClick={close}>Cancel</Button>
      <Button kind={danger ? "danger" : "primary"} busy={busy} onClick={() => void go()}>
        {action}
      </Button>
    </>
  );
  return (
    <Dialog title={title} open={open} onClose={close} actions={actions}>
      {children}
      {error !== null && (
        <div className={field.error} role="alert">
          {messageOf(error)}
        </div>
      )}
    </Dialog>
  );
}
