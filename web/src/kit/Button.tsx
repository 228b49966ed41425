import type { ButtonHTMLAttributes, ReactNode } from "react";
import { Link } from "react-router";
import { Icon, type IconName } from "./Icon";
import { Kbd } from "./Kbd";

type Look = "primary" | "default" | "quiet" | "danger" | "danger-solid";
type Size = "sm" | "md" | "lg";

const LOOKS: Record<Look, string> = { primary: " btn-p", default: "", quiet: " btn-q", danger: " btn-d", "danger-solid": " btn-ds" };

interface Common {
  look?: Look;
  size?: Size;
  icon?: IconName;
  /** Shown as a keycap at the end; the key itself is registered with `useKeys`. */
  keyHint?: string;
}

function className(look: Look, size: Size, alone: boolean, extra: string | undefined): string {
  return `btn${LOOKS[look]}${size === "sm" ? " btn-sm" : size === "lg" ? " btn-lg" : ""}${alone ? " btn-i" : ""}${extra ? ` ${extra}` : ""}`;
}

export interface ButtonProps extends Common, ButtonHTMLAttributes<HTMLButtonElement> {
  /** While true the button can't be pressed again; its label stays. */
  busy?: boolean;
}

/** One filled (primary) button a view. */
export function Button({ look = "default", size = "md", icon, keyHint, busy, children, className: extra, disabled, type = "button", ...rest }: ButtonProps) {
  return (
    <button type={type} className={className(look, size, !children, extra)} disabled={disabled || busy} aria-busy={busy || undefined} {...rest}>
      {icon && <Icon name={icon} size={size === "sm" ? 13 : 16} />}
      {children}
      {keyHint && <Kbd k={keyHint} />}
    </button>
  );
}

/** A button of an icon alone; `label` is its name and its tooltip. */
export function IconButton({ label, icon, look = "quiet", size = "md", keyHint, className: extra, ...rest }: Omit<ButtonProps, "children"> & { label: string; icon: IconName }) {
  return (
    <button type="button" className={className(look, size, true, extra)} aria-label={label} title={keyHint ? `${label} (${keyHint.toUpperCase()})` : label} {...rest}>
      <Icon name={icon} size={size === "sm" ? 14 : 16} />
    </button>
  );
}

/** A link within the app that looks like a button. */
export function LinkButton({ to, look = "default", size = "md", icon, keyHint, children, className: extra }: Common & { to: string; children: ReactNode; className?: string }) {
  return (
    <Link to={to} className={className(look, size, false, extra)}>
      {icon && <Icon name={icon} size={size === "sm" ? 13 : 16} />}
      {children}
      {keyHint && <Kbd k={keyHint} />}
    </Link>
  );
}
