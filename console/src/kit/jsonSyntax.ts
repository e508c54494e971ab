/**
 * Return the index of the first character that is not valid JSON, the text's length for an unexpected end, or -1 for valid
 * JSON. Browsers report the position for some syntax errors only, in different words.
 */
export function syntaxErrorAt(text: string): number {
  const scan = new Scan(text);
  return scan.value() && scan.end() ? -1 : scan.at;
}

// eslint-disable-next-line no-control-regex -- JSON forbids control characters in strings
const TEXT = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const QUOTE = /"/y;
const SPACE = /[ \t\n\r]*/y;

class Scan {
  at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  value(): boolean {
    this.take(SPACE);
    const first = this.text[this.at];
    if (first === "{") return this.members("}", () => this.string() && this.sign(":") && this.value());
    if (first === "[") return this.members("]", () => this.value());
    return first === '"' ? this.string() : this.take(SCALAR);
  }

  end(): boolean {
    this.take(SPACE);
    return this.at === this.text.length;
  }

  private members(close: string, member: () => boolean): boolean {
    this.at += 1;
    if (this.sign(close)) return true;
    do {
      if (!member()) return false;
    } while (this.sign(","));
    return this.sign(close);
  }

  private string(): boolean {
    return this.sign('"') && this.take(TEXT) && this.take(QUOTE);
  }

  private sign(sign: string): boolean {
    this.take(SPACE);
    if (this.text[this.at] !== sign) return false;
    this.at += 1;
    return true;
  }

  private take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return false;
    this.at += match[0].length;
    return true;
  }
}
