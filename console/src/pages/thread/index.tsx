import { Empty, Page } from "../../kit";

export default function ThreadPage() {
  return (
    <Page title="Thread">
      <Empty title="This page is being built" />
    </Page>
  );
}
