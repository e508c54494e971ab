// A TCP proxy before the server that breaks connections where a test says so.
import net from "node:net";
import { once } from "node:events";

/**
 * Relays `{url, connections, cuts, close}` to `upstream`. `cut(text, connection)` is asked after each piece of an answer,
 * with all of the answer so far and the number of the connection (from 1): true breaks the connection after what was
 * relayed before, an index after that many characters of the answer.
 */
export async function cuttingProxy(upstream, cut) {
  const { hostname, port } = new URL(upstream);
  const open = new Set();
  const proxy = { connections: 0, cuts: 0 };
  const server = net.createServer((client) => {
    const number = ++proxy.connections;
    const target = net.connect(Number(port), hostname);
    let answer = "";
    const end = () => [client, target].forEach((socket) => socket.destroy());
    for (const socket of [client, target]) {
      open.add(socket);
      socket.on("error", end).on("close", () => {
        open.delete(socket);
        end();
      });
    }
    client.pipe(target);
    target.on("data", (piece) => {
      const before = answer.length;
      answer += piece.toString("latin1");
      const at = cut(answer, number);
      if (at === false) return void client.write(piece);
      proxy.cuts += 1;
      // What was let through is sent before the connection goes, without the end that chunked coding asks for.
      client.end(piece.subarray(0, at === true ? 0 : Math.max(0, at - before)), end);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  proxy.close = async () => {
    open.forEach((socket) => socket.destroy());
    server.close();
    await once(server, "close");
  };
  return proxy;
}

/** Cuts the first connection right after the nth frame of an event stream; later ones are left whole. */
export const afterFrames = (count) => (answer, number) => {
  if (number > 1) return false;
  const start = answer.indexOf("event: ");
  const parts = start < 0 ? [] : answer.slice(start).split("\r\n\r\n");
  return parts.length > count && start + parts.slice(0, count).join("\r\n\r\n").length + 4;
};
