"""Who reads in the demonstration network, and with what credentials. All invented; the telephone numbers can't be dialled."""

from __future__ import annotations

from dataclasses import dataclass

SYDNEY = ("Sydney", "AU", "Australia/Sydney")
ZURICH = ("Zurich", "CH", "Europe/Zurich")
BOSTON = ("Boston", "US-MA", "America/New_York")


@dataclass(frozen=True, slots=True)
class DemoReader:
    """A reader: `groups` by slug, `privileges` as facility code to subspecialties (none named: all), `on` whether on shift now."""

    username: str
    given: str
    family: str
    groups: tuple[str, ...]
    place: tuple[str, str, str]
    licences: tuple[str, ...]
    subspecialties: tuple[str, ...]
    languages: tuple[str, ...]
    privileges: dict[str, tuple[str, ...]]
    capacity: int = 10
    on: bool = True


READERS = (
    # The only one who can read Norfjord's heads at this hour.
    DemoReader(
        "imogen", "Imogen", "Tarrant", ("aurora",), SYDNEY, ("AU", "NO", "KE"), ("neuro", "emergency"), ("en",),
        {"NORFJORD": ("neuro", "emergency"), "KILELE": ("neuro",)},
    ),
    # Everything but the hour: on from the next morning.
    DemoReader("anselm", "Anselm", "Vogt", ("aurora",), ZURICH, ("CH", "NO"), ("neuro", "body"), ("en", "de"), {"NORFJORD": ()}, on=False),
    # Everything but the subspecialty for heads.
    DemoReader(
        "hana", "Hana", "Oyelaran", ("aurora",), SYDNEY, ("AU", "NO", "KE"), ("chest",), ("en",), {"NORFJORD": (), "KILELE": ("chest",)},
    ),
    # A privilege for bones only, a Norwegian licence, and only German reports.
    DemoReader("cormac", "Cormac", "Bellingham", ("aurora",), SYDNEY, ("AU", "NO"), ("msk",), ("en",), {"NORFJORD": ("msk",)}),
    DemoReader("leila", "Leila", "Farhadi-Moss", ("aurora",), ZURICH, ("CH",), ("breast", "body"), ("de", "fr"), {"NORFJORD": ("breast",)}),
    # The locum: engaged by both groups, so that load counts over both.
    DemoReader(
        "weilin", "Wei-Lin", "Castellan", ("meridian", "aurora"), BOSTON, ("US-MA", "US-TX"), ("emergency", "chest"), ("en",),
        {"LLANO": (), "NORFJORD": ("emergency",)},
    ),
    DemoReader("tobias", "Tobias", "Rehn", ("meridian",), BOSTON, ("US-MA", "US-TX"), ("chest", "body"), ("en",), {"LLANO": ()}, on=False),
    # Licensed in Texas, no privilege there yet.
    DemoReader("priya", "Priya", "Raghunathan", ("meridian",), BOSTON, ("US-MA", "US-TX"), ("body", "chest"), ("en",), {}),
    DemoReader("katriina", "Katriina", "Lehtola", ("meridian",), ZURICH, ("CH", "KE"), ("neuro",), ("en", "de"), {"KILELE": ("neuro",)}),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoStaff:
    """Somebody who does not read: `roles` as (role, organisation slug)."""

    username: str
    name: str
    time_zone: str
    roles: tuple[tuple[str, str], ...]
    is_operator: bool = False


STAFF = (
    DemoStaff("nadia", "Nadia Rourke", "Europe/Oslo", (("coordinator", "aurora"), ("coordinator", "meridian"))),
    DemoStaff("eirik", "Dr Eirik Solbakken", "Europe/Oslo", (("site_staff", "norfjord"),)),
    DemoStaff("lena", "Lena Amari", "America/Chicago", (("site_staff", "llano-verde"),)),
    DemoStaff("joseph", "Joseph Kiprono", "Africa/Nairobi", (("site_staff", "kilele-springs"),)),
    DemoStaff(
        "astrid", "Astrid Vik", "Europe/Oslo",
        (("administrator", "norfjord"), ("administrator", "aurora"), ("administrator", "meridian"), ("administrator", "llano-verde"),
         ("administrator", "kilele-springs")),
    ),
    DemoStaff("runa", "Runa Lie", "Europe/Oslo", (("auditor", "norfjord"),)),
    DemoStaff("pat", "Pat Moreau", "UTC", (), is_operator=True),
)  # fmt: skip
