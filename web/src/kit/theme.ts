import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";
import { useSyncExternalStore } from "react";

/** Mantine in our clothes: every value is a token of tokens.css, so that both themes follow from there. */
const accent: MantineColorsTuple = Array.from({ length: 10 }, (_, shade) =>
  shade < 2 ? "var(--accent-soft)" : shade < 5 ? "var(--accent-strong)" : "var(--accent)",
) as unknown as MantineColorsTuple;

export const theme = createTheme({
  primaryColor: "accent",
  colors: { accent },
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  fontSizes: { xs: "var(--fs-micro)", sm: "var(--fs-small)", md: "var(--fs-table)", lg: "var(--fs-body)", xl: "var(--fs-lead)" },
  spacing: { xs: "var(--s-1)", sm: "var(--s-2)", md: "var(--s-3)", lg: "var(--s-4)", xl: "var(--s-6)" },
  radius: { xs: "var(--r-1)", sm: "var(--r-2)", md: "var(--r-2)", lg: "var(--r-3)", xl: "var(--r-full)" },
  defaultRadius: "sm",
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  components: {
    Tooltip: { defaultProps: { openDelay: 350, withArrow: false, transitionProps: { duration: 90 } }, classNames: { tooltip: "tip" } },
    Menu: { defaultProps: { shadow: undefined, transitionProps: { duration: 90 }, position: "bottom-end", offset: 4 } },
    Popover: { defaultProps: { transitionProps: { duration: 90 }, offset: 4 } },
    Modal: { defaultProps: { centered: true, transitionProps: { duration: 90 }, overlayProps: { color: "var(--scrim)", backgroundOpacity: 1 } } },
    TextInput: { defaultProps: { size: "md" } },
    PasswordInput: { defaultProps: { size: "md" } },
    NumberInput: { defaultProps: { size: "md" } },
    Select: { defaultProps: { size: "md", comboboxProps: { transitionProps: { duration: 90 }, offset: 3 }, checkIconPosition: "right" } },
    MultiSelect: { defaultProps: { size: "md", comboboxProps: { transitionProps: { duration: 90 }, offset: 3 } } },
    Autocomplete: { defaultProps: { size: "md" } },
    Textarea: { defaultProps: { size: "md", autosize: true, minRows: 2 } },
    Checkbox: { defaultProps: { size: "xs" } },
    Radio: { defaultProps: { size: "xs" } },
    Switch: { defaultProps: { size: "xs", withThumbIndicator: false } },
    SegmentedControl: { defaultProps: { size: "sm", transitionDuration: 0 } },
  },
});

const shared = {
  "--mantine-color-body": "var(--bg)",
  "--mantine-color-text": "var(--text)",
  "--mantine-color-dimmed": "var(--quiet)",
  "--mantine-color-placeholder": "var(--quiet)",
  "--mantine-color-anchor": "var(--accent)",
  "--mantine-color-default": "var(--panel-2)",
  "--mantine-color-default-hover": "var(--panel-3)",
  "--mantine-color-default-color": "var(--text)",
  "--mantine-color-default-border": "var(--line-2)",
  "--mantine-color-error": "var(--red)",
  "--mantine-color-disabled": "var(--panel-2)",
  "--mantine-color-disabled-color": "var(--faint)",
  "--mantine-color-disabled-border": "var(--line)",
  "--mantine-primary-color-filled": "var(--accent)",
  "--mantine-primary-color-filled-hover": "var(--accent-strong)",
  "--mantine-primary-color-contrast": "var(--accent-ink)",
  "--mantine-color-accent-filled": "var(--accent)",
  "--mantine-color-accent-filled-hover": "var(--accent-strong)",
  "--mantine-color-accent-light": "var(--accent-soft)",
  "--mantine-color-accent-outline": "var(--accent)",
};

export const cssVariablesResolver: CSSVariablesResolver = () => ({ variables: {}, dark: shared, light: shared });

export type Scheme = "dark" | "light";
const listeners = new Set<() => void>();

export function scheme(): Scheme {
  return document.documentElement.dataset.theme === "light" ? "light" : "dark";
}

export function setScheme(next: Scheme): void {
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("hg-theme", next);
  } catch {
    // Storage off: the choice lasts as long as the page.
  }
  for (const listener of listeners) listener();
}

export function toggleScheme(): void {
  setScheme(scheme() === "dark" ? "light" : "dark");
}

export function useScheme(): Scheme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, scheme);
}
