import type { ReactElement } from "react";
import { Menu as AriaMenu, MenuItem, MenuTrigger, Popover, Pressable } from "react-aria-components";

import { classes } from "./classes";
import { Icon, type IconName } from "./icons";
import styles from "./popover.module.css";

export type MenuAction = {
  id: string;
  label: string;
  icon?: IconName;
  danger?: boolean;
  disabled?: boolean;
  run: () => void;
};

/** A menu of actions. `trigger` is a Button or IconButton of the kit. */
export function Menu({ label, trigger, actions }: { label: string; trigger: ReactElement; actions: MenuAction[] }) {
  return (
    <MenuTrigger>
      <Pressable>{trigger as ReactElement<Record<string, unknown>, "button">}</Pressable>
      <Popover className={styles.popover ?? ""} placement="bottom end">
        <AriaMenu
          aria-label={label}
          className={styles.list ?? ""}
          onAction={(id) => actions.find((action) => action.id === id)?.run()}
        >
          {actions.map((action) => (
            <MenuItem
              key={action.id}
              id={action.id}
              textValue={action.label}
              isDisabled={action.disabled ?? false}
              className={classes(styles.item, action.danger && styles.danger)}
            >
              {action.icon && <Icon name={action.icon} size={14} />}
              {action.label}
            </MenuItem>
          ))}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}
