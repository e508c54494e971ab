import { useParams } from "react-router";

import { Loaded, Page } from "../../kit";
import { useHead } from "./data";
import { ThreadView } from "./ThreadView";

export default function ThreadPage() {
  const { threadId = "" } = useParams();
  // Remount for each thread, so that no state carries over.
  return <OneThread key={threadId} threadId={threadId} />;
}

function OneThread({ threadId }: { threadId: string }) {
  const head = useHead(threadId);
  if (head.data !== undefined) return <ThreadView head={head.data} />;
  return (
    <Page title="Thread" crumbs={[{ label: "Threads", to: "/threads" }]}>
      <Loaded query={head} what="Thread">
        {() => null}
      </Loaded>
    </Page>
  );
}
