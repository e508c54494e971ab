import { Button, IconButton } from "../kit";
import { NestedField, useProblem, useRoot } from "./context";
import styles from "./forms.module.css";
import { blank } from "./initial";
import { movedItem, withItem, withoutItem } from "./path";
import type { ControlProps } from "./control";
import { FieldGroup } from "./FieldGroup";

export function ListField({ label, hint, path, value, onChange, required, shape }: ControlProps<"list">) {
  const root = useRoot();
  const error = useProblem(path);
  const items = Array.isArray(value) ? (value as unknown[]) : [];
  return (
    <FieldGroup {...{ label, hint, error, required }} aside={<Count of={value} />}>
      {items.length > 0 && (
        <ol className={styles.items}>
          {items.map((item, index) => (
            // An item has no name but its place.
            <li key={index} className={styles.item}>
              <NestedField
                schema={shape.items}
                name={`${label} ${index + 1}`}
                path={[...path, index]}
                value={item}
                onChange={(next) => onChange(withItem(items, index, next ?? null))}
                required
              />
              <ItemTools label={`${label} ${index + 1}`} index={index} items={items} onChange={onChange} />
            </li>
          ))}
        </ol>
      )}
      <Button
        small
        icon="plus"
        aria-label={`Add to ${label}`}
        onClick={() => onChange([...items, blank(shape.items, root)])}
      >
        Add
      </Button>
    </FieldGroup>
  );
}

type ToolsProps = { label: string; index: number; items: readonly unknown[]; onChange: (items: unknown[]) => void };

export function ItemTools({ label, index, items, onChange }: ToolsProps) {
  return (
    <div className={styles.tools}>
      {items.length > 1 && (
        <>
          <IconButton
            small
            icon="up"
            label={`Move ${label} up`}
            disabled={index === 0}
            onClick={() => onChange(movedItem(items, index, index - 1))}
          />
          <IconButton
            small
            icon="down"
            label={`Move ${label} down`}
            disabled={index === items.length - 1}
            onClick={() => onChange(movedItem(items, index, index + 1))}
          />
        </>
      )}
      <IconButton small icon="trash" label={`Remove ${label}`} onClick={() => onChange(withoutItem(items, index))} />
    </div>
  );
}

function Count({ of }: { of: unknown }) {
  return <span className={styles.faint}>{Array.isArray(of) ? `${of.length}` : "not given"}</span>;
}
