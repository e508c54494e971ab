/** One server-sent event. */
export type Frame = { id: string; event: string; data: string };

/** Decodes text chunks of any size into frames. Skips comments (heartbeats) and frames without data. */
export class FrameDecoder {
  private rest = "";
  private frame: Frame = { id: "", event: "", data: "" };
  private lines = 0;

  push(piece: string): Frame[] {
    const frames: Frame[] = [];
    const text = this.rest + piece;
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      const line = text.slice(start, text[end - 1] === "\r" ? end - 1 : end);
      start = end + 1;
      if (line === "") this.finish(frames);
      else this.take(line);
    }
    this.rest = text.slice(start);
    return frames;
  }

  private finish(frames: Frame[]): void {
    if (this.lines > 0) frames.push(this.frame);
    this.frame = { id: "", event: "", data: "" };
    this.lines = 0;
  }

  private take(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") {
      this.frame.data += this.lines > 0 ? `\n${value}` : value;
      this.lines += 1;
    } else if (name === "event" || name === "id") {
      this.frame[name] = value;
    }
  }
}
