import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/**
 * A way to a server that can be cut: open connections break, new ones are refused until it is mended. Or held: it takes
 * what comes and passes nothing on until then.
 */
export class FaultyProxy {
  url = "";
  private readonly sockets = new Set<Socket>();
  private readonly ways = new Set<readonly [Socket, Socket]>();
  private isCut = false;
  private isHeld = false;
  private readonly server;

  private constructor(target: URL) {
    this.server = createServer((near) => {
      if (this.isCut) {
        near.destroy();
        return;
      }
      const far = connect(Number(target.port), target.hostname);
      const way = [near, far] as const;
      this.ways.add(way);
      near.on("close", () => this.ways.delete(way));
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => this.sockets.delete(one));
      }
      far.pipe(near);
      if (!this.isHeld) near.pipe(far);
    });
  }

  static async to(url: string): Promise<FaultyProxy> {
    const way = new FaultyProxy(new URL(url));
    await new Promise<void>((resolve) => way.server.listen(0, "127.0.0.1", resolve));
    way.url = `http://127.0.0.1:${(way.server.address() as AddressInfo).port}`;
    return way;
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  hold(): void {
    this.isHeld = true;
    for (const [near, far] of this.ways) near.unpipe(far);
  }

  mend(): void {
    this.isCut = false;
    if (this.isHeld) for (const [near, far] of this.ways) near.pipe(far);
    this.isHeld = false;
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}
