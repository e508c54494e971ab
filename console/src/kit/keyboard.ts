import { useEffect, useRef } from "react";

import { External } from "../api";

/** A key that does something now: `key` as in KeyboardEvent.key, `does` for the list that `?` shows. */
export type Hotkey = { key: string; does: string; run: (event: KeyboardEvent) => void };

type Shown = { key: string; does: string };

/** What is in force now, in the order in which it came. */
export const hotkeys = new External<readonly Shown[]>([]);

/** Keys of a page or a list, in force while the component is there and no text is being typed nor a dialog open. */
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
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isElsewhere(event.target)) return;
      const found = latest.current.find((each) => each.key === event.key);
      if (found === undefined) return;
      event.preventDefault();
      found.run(event);
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

/** Whether a key is for what has the focus: a text field, a menu, a dialog. */
function isElsewhere(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest(
      "input:not([type=checkbox]), textarea, select, [contenteditable], [role=dialog], [role=menu], [role=listbox]",
    ) !== null
  );
}
