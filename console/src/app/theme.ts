import { External } from "../api";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const STORAGE_KEY = "treadle.theme";

function stored(): Theme {
  try {
    return THEMES.find((each) => each === localStorage.getItem(STORAGE_KEY)) ?? "system";
  } catch {
    return "system";
  }
}

export const theme = new External<Theme>(stored());

/** Apply the theme. `data-theme` overrides the system's preference; see tokens.css. */
export function applyTheme(): void {
  const chosen = theme.get();
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

export function chooseTheme(chosen: Theme): void {
  theme.set(chosen);
  localStorage.setItem(STORAGE_KEY, chosen);
  applyTheme();
}
