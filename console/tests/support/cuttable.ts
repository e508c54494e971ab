import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A way to a server that can be cut: open connections break, new ones are refused until it is mended. */
export class Cuttable {
  url = "";
  private readonly sockets = new Set<Socket>();
  private isCut = false;
  private readonly server;

  private constructor(target: URL) {
    this.server = createServer((near) => {
      if (this.isCut) {
        near.destroy();
        return;
      }
      const far = connect(Number(target.port), target.hostname);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => this.sockets.delete(one));
        one.pipe(other);
      }
    });
  }

  static async to(url: string): Promise<Cuttable> {
    const way = new Cuttable(new URL(url));
    await new Promise<void>((resolve) => way.server.listen(0, "127.0.0.1", resolve));
    way.url = `http://127.0.0.1:${(way.server.address() as AddressInfo).port}`;
    return way;
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}
