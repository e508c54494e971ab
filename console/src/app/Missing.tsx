import { ButtonLink, Empty, Page } from "../kit";

export function Missing() {
  return (
    <Page title="Not found">
      <Empty title="There is no such page" actions={<ButtonLink to="/runs">Runs</ButtonLink>} />
    </Page>
  );
}
