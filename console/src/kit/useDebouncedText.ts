import { useEffect, useState } from "react";

const TYPING_MS = 250;

/** Text that is told after a pause in typing, and follows `given` when that changes elsewhere (Back, a link). */
export function useDebouncedText(given: string, onText: (text: string) => void): [string, (text: string) => void] {
  const [text, setText] = useState(given);
  const [known, setKnown] = useState(given);
  if (known !== given) {
    setKnown(given);
    setText(given);
  }
  useEffect(() => {
    if (text === given) return;
    const timer = setTimeout(() => onText(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, given, onText]);
  return [text, setText];
}
