import { describe, expect, it } from "vitest";
import { firstRoom, mayEnter, seesPatients } from "./session";
import type { Role, RoomName, Session } from "./types";

const session = (rooms: RoomName[], roles: Role[]): Session => ({ rooms, roles: roles.map((role) => ({ role })) }) as unknown as Session;

describe("rooms", () => {
  it("open to whose role has them", () => {
    const staff = session(["site", "case"], ["site_staff"]);
    expect(["site", "case", "messages", "quarantine", "hidden", "transfers", "identity", "patients"].every((room) => mayEnter(staff, room))).toBe(true);
    expect(["list", "read", "board", "admin"].map((room) => mayEnter(staff, room))).toEqual([false, false, false, false]);
    expect(["messages", "identity", "patients"].some((room) => mayEnter(session(["list", "read", "case"], ["reader"]), room))).toBe(false);
  });
  it("begin for an auditor with the cases", () => {
    expect(firstRoom(session(["case", "audit"], ["auditor"]))).toBe("/case");
  });
});

it("knows who has to do with patients", () => {
  expect(seesPatients(session(["admin"], ["administrator"]))).toBe(false);
  expect(seesPatients(session(["admin"], []))).toBe(false);
  expect(seesPatients(session(["case"], ["auditor"]))).toBe(true);
});
