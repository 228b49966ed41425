import { NavLink, Navigate, Route, Routes } from "react-router";
import { hasRole, useSession } from "../../api/session";
import { Foot, Icon, type IconName, Page } from "../../kit";
import { Agreements } from "./Agreements";
import { DeletionsPage } from "./Deletions";
import { Destination } from "./Destination";
import { Destinations } from "./Destinations";
import { Feed } from "./Feed";
import { Feeds } from "./Feeds";
import { Nodes } from "./Nodes";
import { Reader } from "./Reader";
import { Readers } from "./Readers";
import { Shifts } from "./Shifts";
import { Callers, Facilities, Organizations } from "./Sites";
import { Keys, Users } from "./Users";
import "../board/board.css";
import "./admin.css";

interface Section {
  to: string;
  label: string;
  icon: IconName;
  /** Who has something there. */
  for: "all" | "client" | "group" | "administrator";
}

const GROUPS: { title: string; sections: Section[] }[] = [
  {
    title: "Network",
    sections: [
      { to: "organizations", label: "Organisations", icon: "board", for: "all" },
      { to: "agreements", label: "Agreements", icon: "document", for: "administrator" },
    ],
  },
  {
    title: "Sites",
    sections: [
      { to: "facilities", label: "Facilities", icon: "site", for: "client" },
      { to: "callers", label: "DICOM callers", icon: "images", for: "client" },
      { to: "nodes", label: "DICOM nodes", icon: "handback", for: "client" },
      { to: "feeds", label: "HL7 feeds", icon: "link", for: "client" },
      { to: "destinations", label: "Destinations", icon: "handback", for: "client" },
      { to: "keys", label: "Keys", icon: "key", for: "client" },
      { to: "deletions", label: "Deletions", icon: "cross", for: "client" },
    ],
  },
  {
    title: "People",
    sections: [
      { to: "readers", label: "Readers", icon: "shield", for: "administrator" },
      { to: "shifts", label: "Shifts", icon: "timeline", for: "group" },
      { to: "users", label: "Users and roles", icon: "people", for: "all" },
    ],
  },
];

/** What the network is made of. No patient data is seen from here. */
export default function AdminPage() {
  const session = useSession();
  const administers = session.roles.filter((role) => role.role === "administrator");
  const client = administers.some((role) => role.organization_kind !== "reading_group");
  const group = administers.some((role) => role.organization_kind === "reading_group");
  const open = (section: Section) => section.for === "all" || (section.for === "administrator" && administers.length > 0) || (section.for === "client" && client) || (section.for === "group" && group);
  const first = session.is_operator && !hasRole(session, "administrator") ? "organizations" : group ? "readers" : "facilities";
  return (
    <Page title="Administration" windowTitle="Administration">
      <div className="page">
        <div className="ad">
          <nav className="ad-n" aria-label="Administration">
            {GROUPS.map((one) => {
              const sections = one.sections.filter(open);
              return sections.length === 0 ? null : (
                <div key={one.title}>
                  <div className="caps">{one.title}</div>
                  {sections.map((section) => (
                    <NavLink key={section.to} to={`/admin/${section.to}`}>
                      <Icon name={section.icon} size={15} />
                      {section.label}
                    </NavLink>
                  ))}
                </div>
              );
            })}
          </nav>
          <div className="ad-m">
            <Routes>
              <Route index element={<Navigate to={first} replace />} />
              <Route path="organizations" element={<Organizations />} />
              <Route path="facilities" element={<Facilities />} />
              <Route path="callers" element={<Callers />} />
              <Route path="nodes" element={<Nodes />} />
              <Route path="feeds" element={<Feeds />} />
              <Route path="feeds/:feedId" element={<Feed />} />
              <Route path="destinations" element={<Destinations />} />
              <Route path="destinations/:destinationId" element={<Destination />} />
              <Route path="agreements" element={<Agreements />} />
              <Route path="readers" element={<Readers />} />
              <Route path="readers/:readerId" element={<Reader />} />
              <Route path="shifts" element={<Shifts />} />
              <Route path="users" element={<Users />} />
              <Route path="keys" element={<Keys />} />
              <Route path="deletions" element={<DeletionsPage />} />
              <Route path="*" element={<Navigate to={`/admin/${first}`} replace />} />
            </Routes>
          </div>
        </div>
        <Foot
          live={false}
          keys={[
            { keys: ["j", "k"], label: "move" },
            { keys: ["Enter"], label: "open" },
            { keys: ["n"], label: "new" },
            { keys: ["?"], label: "all keys" },
          ]}
        >
          <span>No patient data is seen from here</span>
        </Foot>
      </div>
    </Page>
  );
}
