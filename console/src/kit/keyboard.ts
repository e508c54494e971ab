import { useEffect, useRef } from "react";

import { External } from "../api";

/** A keyboard shortcut: `key` is KeyboardEvent.key, `does` its description in the list of shortcuts (`?`). */
export type Hotkey = { key: string; does: string; run: (event: KeyboardEvent) => void };

type Shown = { key: string; does: string };

/** The active shortcuts in order of registration. */
export const hotkeys = new External<readonly Shown[]>([]);

/** Register shortcuts while the component is mounted. They are inactive in text fields and dialogs. */
export function useHotkeys(keys: readonly Hotkey[]): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  const description = keys.map(({ key, does }) => `${key}\n${does}`).join("\n\n");
  useEffect(() => {
    const shown = description === "" ? [] : description.split("\n\n").map(describe);
    hotkeys.set([...hotkeys.get(), ...shown]);
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || handlesKeys(event.target)) return;
      const hotkey = latest.current.find((each) => each.key === event.key);
      if (hotkey === undefined) return;
      event.preventDefault();
      hotkey.run(event);
    };
    document.addEventListener("keydown", press);
    return () => {
      document.removeEventListener("keydown", press);
      hotkeys.set(hotkeys.get().filter((each) => !shown.includes(each)));
    };
  }, [description]);
}

function describe(text: string): Shown {
  const [key = "", does = ""] = text.split("\n");
  return { key, does };
}

/** Whether the focused element handles the key itself: a text field, a menu, a dialog. */
function handlesKeys(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest(
      "input:not([type=checkbox]), textarea, select, [contenteditable], [role=dialog], [role=menu], [role=listbox]",
    ) !== null
  );
}
