import { useState } from "react";
import { api, url } from "../../api/client";
import { useSession } from "../../api/session";
import type { Role } from "../../api/types";
import { Avatar, Button, Chip, type Column, ConfirmDialog, day, Dialog, MINUTE, Note, toast, useNow } from "../../kit";
import { nameIn, options, renew, useAdminList, useFacilities, useOrganizations, useUsers, ZONES } from "./data";
import { ListSection } from "./ListSection";
import { type Field, RecordDialog, text, type Values } from "./RecordDialog";
import { Active, Change } from "./Sites";
import type { MachineKey, RoleHeld, User } from "./types";
import { endOfDay, lastDay, ROLE_NAMES } from "./words";

const longEnough = (value: string) => (value.length < 12 ? "At least 12 characters: a few words are good" : null);

function useRoleFields(): Field[] {
  const session = useSession();
  const organizations = useOrganizations();
  const isAdministrator = session.roles.some((role) => role.role === "administrator");
  const facilities = useFacilities(isAdministrator);
  return [
    { name: "organization_id", label: "Organisation", kind: "select", required: true, half: true, options: options(organizations.data) },
    { name: "role", label: "Role", kind: "select", required: true, half: true, options: Object.entries(ROLE_NAMES).map(([value, label]) => ({ value, label })) },
    { name: "facility_id", label: "Only at this facility", kind: "select", options: options(facilities.data), hint: "Empty: at all of the organisation's", when: (values) => values.role === "site_staff" },
  ];
}

function roleBody(values: Values): Record<string, unknown> {
  return { organization_id: values.organization_id, role: values.role, facility_id: values.role === "site_staff" ? (values.facility_id ?? null) : null };
}

export function Users() {
  const list = useUsers();
  const organizations = useOrganizations();
  const roleFields = useRoleFields();
  const [adding, setAdding] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const columns: Column<User>[] = [
    {
      id: "name",
      head: "Name",
      width: 240,
      cell: (one) => (
        <span className="row">
          <Avatar name={one.display_name} small />
          <span className="m">{one.display_name}</span>
        </span>
      ),
      sort: (one) => one.display_name,
    },
    { id: "username", head: "Signs in as", width: 150, cell: (one) => <span className="num q">{one.username}</span>, sort: (one) => one.username },
    {
      id: "roles",
      head: "Roles",
      cell: (one) => (
        <span>
          {one.is_operator && <Chip>Operator</Chip>} {one.roles.map((role) => `${ROLE_NAMES[role.role]}, ${nameIn(organizations.data, role.organization_id)}`).join("; ")}
          {one.roles.length === 0 && !one.is_operator && <span className="q">none: sees nothing</span>}
        </span>
      ),
    },
    { id: "zone", head: "Time zone", width: 150, show: "wide", cell: (one) => <span className="q">{one.time_zone}</span> },
    { id: "totp", head: "Second factor", width: 110, cell: (one) => <span className="q">{one.has_totp ? "yes" : "no"}</span>, sort: (one) => String(one.has_totp) },
    { id: "active", head: "State", width: 96, cell: (one) => <Active on={one.is_active} />, sort: (one) => String(one.is_active) },
    { id: "change", head: "", width: 84, cell: (one) => <Change onClick={() => setOpen(one.id)} /> },
  ];
  const user = list.data?.find((one) => one.id === open);
  return (
    <>
      <ListSection<User>
        id="users"
        title="Users and roles"
        sub="a role is held in one organisation"
        query={list}
        rowId={(one) => one.id}
        sort="name"
        onOpen={(one) => setOpen(one.id)}
        tone={(one) => (one.is_active ? undefined : "away")}
        add={{ label: "New user", run: () => setAdding(true) }}
        columns={columns}
        empty={{ title: "No user yet", text: "People who sign in stand here with their roles.", icon: "people" }}
      />
      {adding && (
        <RecordDialog
          title="New user"
          save="Add"
          fields={[
            { name: "display_name", label: "Name", required: true, hint: "As others see it, with title" },
            { name: "username", label: "Signs in as", required: true, half: true, check: (value) => (/^[\w.@+-]{2,100}$/.test(value) ? null : "Letters, digits and . _ @ + -") },
            { name: "password", label: "First password", kind: "password", required: true, half: true, check: longEnough },
            { name: "time_zone", label: "Time zone", kind: "select", required: true, half: true, options: ZONES },
            { name: "email", label: "E-mail", half: true },
            ...roleFields,
          ]}
          start={{ time_zone: "UTC", organization_id: organizations.data?.length === 1 ? (organizations.data[0]?.id ?? null) : null }}
          onClose={() => setAdding(false)}
          onSave={async (values) => {
            await api.post("/api/admin/users", { display_name: text(values.display_name), username: text(values.username), password: values.password, time_zone: values.time_zone, email: text(values.email), roles: [roleBody(values)] });
            renew("users");
          }}
        />
      )}
      {user && <UserDialog user={user} onClose={() => setOpen(null)} />}
    </>
  );
}

type Step = "role" | "password" | "stop" | null;

function UserDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const organizations = useOrganizations();
  const roleFields = useRoleFields();
  const [step, setStep] = useState<Step>(null);
  const [totp, setTotp] = useState<string | null>(null);
  const tell = async (work: Promise<unknown>, done: string, undo?: () => Promise<unknown>) => {
    try {
      await work;
      renew("users");
      toast({ tone: "done", text: done, undo: undo && (async () => (await undo(), renew("users"))) });
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "This was not done" });
    }
  };
  const end = (role: RoleHeld) =>
    tell(
      api.del(`${url`/api/admin/users/${user.id}/roles`}?${new URLSearchParams({ organization_id: role.organization_id, role: role.role }).toString()}`),
      `${ROLE_NAMES[role.role as Role]} ended`,
      () => api.post(url`/api/admin/users/${user.id}/roles`, role),
    );
  if (step === "role")
    return (
      <RecordDialog
        title={`A role for ${user.display_name}`}
        save="Give"
        fields={roleFields}
        start={{}}
        onClose={() => setStep(null)}
        onSave={async (values) => {
          await api.post(url`/api/admin/users/${user.id}/roles`, roleBody(values));
          renew("users");
        }}
      />
    );
  if (step === "password")
    return (
      <RecordDialog
        title={`A new password for ${user.display_name}`}
        save="Set"
        fields={[{ name: "password", label: "Password", kind: "password", required: true, check: longEnough }]}
        start={{}}
        note="The old one stops at once."
        onClose={() => setStep(null)}
        onSave={async (values) => {
          await api.patch(url`/api/admin/users/${user.id}`, { password: values.password });
          toast({ tone: "done", text: "The password is set" });
        }}
      />
    );
  if (step === "stop")
    return (
      <ConfirmDialog
        opened
        title={`Stop ${user.display_name}`}
        confirm="Stop"
        danger
        onClose={() => setStep(null)}
        onConfirm={async () => {
          await api.patch(url`/api/admin/users/${user.id}`, { is_active: false });
          renew("users");
          setStep(null);
        }}
      >
        <p>They are signed out everywhere at once and what they have open goes back. You can let them in again later.</p>
      </ConfirmDialog>
    );
  return (
    <Dialog
      opened
      title={user.display_name}
      width={560}
      onClose={onClose}
      foot={
        <>
          {user.is_active ? (
            <Button look="danger" onClick={() => setStep("stop")}>
              Stop
            </Button>
          ) : (
            <Button onClick={() => void tell(api.patch(url`/api/admin/users/${user.id}`, { is_active: true }), "Active again")}>Let in again</Button>
          )}
          <span className="grow" />
          <Button onClick={() => setStep("password")}>New password</Button>
          <Button
            onClick={() =>
              void tell(
                api.post<{ address: string }>(url`/api/admin/users/${user.id}/totp`).then((made) => setTotp(made.address)),
                "Second factor made",
              )
            }
          >
            {user.has_totp ? "New second factor" : "Second factor"}
          </Button>
        </>
      }
    >
      <p className="q" style={{ marginBottom: 10 }}>
        Signs in as <span className="num m">{user.username}</span>, {user.time_zone.replaceAll("_", " ")}
        {user.is_operator && ". Runs the platform and sees no patients by it."}
      </p>
      <ul className="ul boxed">
        {user.roles.map((role) => (
          <li key={`${role.organization_id}${role.role}${role.facility_id}`}>
            <span className="grow">
              <span className="m">{ROLE_NAMES[role.role]}</span>, {nameIn(organizations.data, role.organization_id)}
            </span>
            <Button size="sm" look="quiet" onClick={() => void end(role)}>
              End
            </Button>
          </li>
        ))}
        <li>
          <span className="grow q">{user.roles.length === 0 && "No role: sees nothing."}</span>
          <Button size="sm" icon="plus" onClick={() => setStep("role")}>
            Give a role
          </Button>
        </li>
      </ul>
      {totp && <Once title="For the authenticator app, shown once" value={totp} />}
    </Dialog>
  );
}

/** What is shown only now, with a way to take it along. */
export function Once({ title, value }: { title: string; value: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <div style={{ marginTop: 12 }}>
      <Note tone="amber" icon="key">
        <b>{title}</b>
        <div className="once">
          <code className="mono">{value}</code>
          <Button
            size="sm"
            onClick={() =>
              void navigator.clipboard.writeText(value).then(
                () => setCopied(true),
                () => toast({ tone: "warn", text: "Not copied: mark the text and copy it" }),
              )
            }
          >
            {copied ? "Copied" : "Copy"}
          </Button>
        </div>
      </Note>
    </div>
  );
}

export function Keys() {
  const now = useNow(MINUTE);
  const list = useAdminList<MachineKey>("keys");
  const organizations = useOrganizations();
  const facilities = useFacilities();
  const [adding, setAdding] = useState(false);
  const [revoking, setRevoking] = useState<MachineKey | null>(null);
  const [made, setMade] = useState<string | null>(null);
  const state = (one: MachineKey) => (one.revoked_at ? "revoked" : one.expires_at && Date.parse(one.expires_at) <= now ? "ended" : "valid");
  return (
    <>
      <ListSection<MachineKey>
        id="keys"
        title="Keys of machines"
        sub="for DICOMweb; a key belongs to one facility"
        query={list}
        rowId={(one) => one.id}
        sort="name"
        tone={(one) => (state(one) === "valid" ? undefined : "away")}
        add={{ label: "New key", run: () => setAdding(true) }}
        columns={[
          { id: "name", head: "Name", cell: (one) => <span className="m">{one.name}</span>, sort: (one) => one.name },
          { id: "facility", head: "Facility", width: 190, cell: (one) => nameIn(facilities.data, one.facility_id), sort: (one) => nameIn(facilities.data, one.facility_id) },
          { id: "organization", head: "Organisation", width: 170, show: "wide", cell: (one) => <span className="q">{nameIn(organizations.data, one.organization_id)}</span> },
          { id: "may", head: "May", width: 160, cell: (one) => [one.may_store && "send", one.may_read && "read"].filter(Boolean).join(" and ") || "nothing" },
          { id: "made", head: "Made", width: 110, cell: (one) => <span className="num q">{day(one.created_at, "UTC")}</span>, sort: (one) => one.created_at },
          { id: "until", head: "Last day", width: 110, cell: (one) => <span className="num q">{lastDay(one.expires_at)}</span>, sort: (one) => one.expires_at },
          { id: "state", head: "State", width: 100, cell: (one) => state(one), sort: state },
          { id: "revoke", head: "", width: 84, cell: (one) => (state(one) === "valid" ? <Change onClick={() => setRevoking(one)}>Revoke</Change> : null) },
        ]}
        empty={{ title: "No key yet", text: "A machine that sends or reads images by DICOMweb shows a key. Its token is told once, when it is made.", icon: "key" }}
      />
      {adding && (
        <RecordDialog
          title="New key"
          save="Make"
          fields={[
            { name: "facility_id", label: "Facility", kind: "select", required: true, options: options(facilities.data) },
            { name: "name", label: "Name", required: true, half: true, hint: "The machine that will use it" },
            { name: "expires_at", label: "Last day", kind: "date", half: true, hint: "Empty: open" },
            { name: "may_store", label: "May send images", kind: "switch" },
            { name: "may_read", label: "May read images of its organisation", kind: "switch" },
          ]}
          start={{ may_store: true, may_read: false, facility_id: facilities.data?.length === 1 ? (facilities.data[0]?.id ?? null) : null }}
          onClose={() => setAdding(false)}
          onSave={async (values) => {
            const facility = facilities.data?.find((one) => one.id === values.facility_id);
            const key = await api.post<{ token: string }>("/api/admin/keys", { organization_id: facility?.organization_id, facility_id: values.facility_id, name: text(values.name), may_store: values.may_store === true, may_read: values.may_read === true, expires_at: typeof values.expires_at === "string" ? endOfDay(values.expires_at) : null });
            setMade(key.token);
            renew("keys");
          }}
        />
      )}
      {made && (
        <Dialog opened title="The key is made" width={560} onClose={() => setMade(null)} foot={<Button look="primary" onClick={() => setMade(null)}>I have it</Button>}>
          <p>
            The machine sends it as <span className="mono">Authorization: Bearer</span>. We keep only a mark of it: it can&rsquo;t be shown again.
          </p>
          <Once title="Shown once" value={made} />
        </Dialog>
      )}
      {revoking && (
        <ConfirmDialog
          opened
          title={`Revoke ${revoking.name}`}
          confirm="Revoke"
          danger
          onClose={() => setRevoking(null)}
          onConfirm={async () => {
            await api.del(url`/api/admin/keys/${revoking.id}`);
            setRevoking(null);
            renew("keys");
          }}
        >
          <p>The machine is refused from this moment. It can&rsquo;t be taken back: a new key is needed.</p>
        </ConfirmDialog>
      )}
    </>
  );
}
