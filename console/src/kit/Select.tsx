import {
  Button,
  Dialog,
  DialogTrigger,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Select as AriaSelect,
  SelectValue,
  type Selection,
} from "react-aria-components";

import { classes } from "./classes";
import field from "./field.module.css";
import { Icon } from "./icons";
import styles from "./popover.module.css";

export type Option<T extends string = string> = { value: T; label: string; disabled?: boolean };

type SelectProps<T extends string> = {
  label: string;
  hideLabel?: boolean;
  options: readonly Option<T>[];
  value: T | null;
  onChange: (value: T) => void;
  placeholder?: string;
  disabled?: boolean;
};

/** A select with one value. */
export function Select<T extends string>(props: SelectProps<T>) {
  const { label, hideLabel, options, value, onChange, placeholder = "Choose…", disabled = false } = props;
  return (
    <AriaSelect
      className={field.field ?? ""}
      value={value}
      onChange={(key) => key !== null && onChange(key as T)}
      placeholder={placeholder}
      isDisabled={disabled}
      // Let the list open before the options are loaded; they appear in the open list.
      allowsEmptyCollection
      {...(hideLabel ? { "aria-label": label } : {})}
    >
      {!hideLabel && <Label className={field.label ?? ""}>{label}</Label>}
      <Button className={styles.trigger ?? ""}>
        <SelectValue />
        <Icon name="down" size={12} />
      </Button>
      <Popover className={styles.popover ?? ""}>
        <ListBox className={styles.list ?? ""} renderEmptyState={() => <div className={styles.empty}>No options</div>}>
          {options.map((option) => (
            <ListBoxItem
              key={option.value}
              id={option.value}
              textValue={option.label}
              isDisabled={option.disabled ?? false}
              className={styles.item ?? ""}
            >
              {({ isSelected }) => <Ticked on={isSelected} label={option.label} />}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

type MultiSelectProps<T extends string> = {
  label: string;
  options: readonly Option<T>[];
  value: readonly T[];
  onChange: (value: T[]) => void;
  /** The text of the button without a selection. */
  placeholder?: string;
};

/** A filter with several values, in the order of `options`. The button lists the selected ones. */
export function MultiSelect<T extends string>({ label, options, value, onChange, placeholder }: MultiSelectProps<T>) {
  const chosen = options.filter((option) => value.includes(option.value));
  const take = (keys: Selection) => {
    onChange(options.map((option) => option.value).filter((each) => keys === "all" || keys.has(each)));
  };
  return (
    <DialogTrigger>
      <Button className={styles.trigger ?? ""}>
        <span>
          {chosen.length === 0 ? (placeholder ?? label) : `${label}: ${chosen.map((each) => each.label).join(", ")}`}
        </span>
        <Icon name="down" size={12} />
      </Button>
      <Popover className={styles.popover ?? ""} placement="bottom start">
        <Dialog aria-label={label} className={styles.list ?? ""}>
          <ListBox
            aria-label={label}
            className={styles.list ?? ""}
            selectionMode="multiple"
            // Escape closes the list and keeps the selection.
            escapeKeyBehavior="none"
            selectedKeys={value}
            onSelectionChange={take}
            renderEmptyState={() => <div className={styles.empty}>No options</div>}
          >
            {options.map((option) => (
              <ListBoxItem key={option.value} id={option.value} textValue={option.label} className={styles.item ?? ""}>
                {({ isSelected }) => <Ticked on={isSelected} label={option.label} />}
              </ListBoxItem>
            ))}
          </ListBox>
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

function Ticked({ on, label }: { on: boolean; label: string }) {
  return (
    <>
      <span className={classes(styles.tick)}>{on && <Icon name="check" size={14} />}</span>
      {label}
    </>
  );
}
