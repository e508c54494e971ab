import { useEffect, useState } from "react";

const TYPING_MS = 250;

/** Text that is passed to `onText` after a pause in typing and follows external changes of `value` (Back, a link). */
export function useDebouncedText(value: string, onText: (text: string) => void): [string, (text: string) => void] {
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  if (known !== value) {
    setKnown(value);
    setText(value);
  }
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onText(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, value, onText]);
  return [text, setText];
}
