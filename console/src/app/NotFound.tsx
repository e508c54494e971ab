import { ButtonLink, Empty, Page } from "../kit";

export function NotFound() {
  return (
    <Page title="Not found">
      <Empty title="There is no such page" actions={<ButtonLink to="/runs">To the runs</ButtonLink>}>
        <p>The address may be mistyped, or of another version of the console.</p>
      </Empty>
    </Page>
  );
}
