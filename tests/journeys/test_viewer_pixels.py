"""What the viewer shows of each kind of image, looked at pixel by pixel: the right way up, in its window, in its colours."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator

from heliograph.app.demo.cases import CASES
from heliograph.app.demo.people import READERS
from heliograph.app.demo.site import send_images
from tests.journeys import pictures
from tests.journeys.network import Network
from tests.journeys.pictures import BRIGHT, DARK, GROUND, Kind
from tests.journeys.visitor import Visit, Visitor
from tools.running import Platform

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("journeys")]
CHEST = CASES[2]  # plain radiography hangs as the file says
Screen = NDArray[np.int64]
NEAR = 12
"""Levels of 255 that a colour may be off: scaling of windows, and of pictures to the screen."""


def canvas_of(visitor: Visitor) -> Locator:
    """What the viewer draws on."""
    return visitor.page.frame_locator("iframe").locator("canvas.cornerstone-canvas").first


def seen(visitor: Visitor) -> Screen:
    """The viewer's canvas on the screen: [rows, columns, RGB]."""
    shot = visitor.page.screenshot(clip=canvas_of(visitor).bounding_box() or None, type="png")
    return np.asarray(Image.open(BytesIO(shot)).convert("RGB")).astype(np.int64)


def at_place(screen: Screen, kind: Kind, place: tuple[float, float]) -> tuple[int, ...]:
    """The colour at a place of the image, (row, column) as parts of it; the image is as large as fits, in the middle."""
    rows, columns = size_of(kind)
    height, width = screen.shape[:2]
    scale = min(height / rows, width / columns)
    row = height / 2 + (place[0] - 0.5) * rows * scale
    column = width / 2 + (place[1] - 0.5) * columns * scale
    spot = screen[round(row) - 2 : round(row) + 3, round(column) - 2 : round(column) + 3].reshape(-1, 3)
    return tuple(int(v) for v in np.median(spot, axis=0))


def size_of(kind: Kind) -> tuple[int, int]:
    return {"MG": (1200, 900), "MONOCHROME1": (600, 500), "DX": (600, 500)}.get(kind.name, (256, 256))


def wrong(screen: Screen, kind: Kind, bright_at: tuple[float, float] = pictures.BRIGHT_AT) -> list[str]:
    """Places that do not look as they must."""
    ground = [place for place in pictures.GROUND_AT if abs(place[0] - bright_at[0]) > 0.2 or place[1] != bright_at[1]]
    wanted = [(bright_at, BRIGHT), (pictures.DARK_AT, DARK), *((place, GROUND) for place in ground)]
    found = [(place, kind.colours[what], at_place(screen, kind, place)) for place, what in wanted]
    return [
        f"at {place}: {colour}, not {must}"
        for place, must, colour in found
        if max(abs(a - b) for a, b in zip(colour, must, strict=True)) > NEAR
    ]


def comes_right(visitor: Visitor, kind: Kind, bright_at: tuple[float, float] = pictures.BRIGHT_AT) -> None:
    """Waits until the image is on the screen as it must be; tells what is wrong if it never is."""
    last: list[list[str]] = [["nothing was drawn"]]

    def is_right() -> bool:
        if canvas_of(visitor).count() and canvas_of(visitor).bounding_box():
            last.append(wrong(seen(visitor), kind, bright_at))
        return last[-1] == []

    try:
        Platform.until(is_right, 40, f"{kind} is on the screen")
    except TimeoutError as error:
        raise AssertionError(f"{kind}: {'; '.join(last[-1])}") from error


def opened(network: Network, visit: Visit, kind: Kind) -> Visitor:
    """An exam with this image, opened by the reader who was given it."""
    case = network.exam(CHEST)
    network.order(case)
    files = pictures.write(kind, case, network.folder / case.accession)
    assert [r.status for r in send_images(network.platform.settings, case, files)] == [0]
    read = network.read_of(case)
    (row,) = (c for c in network.person("nadia").get("/api/board")["cases"] if c["read_id"] == read)
    reader = visit(next(r.username for r in READERS if row["reader"]["name"].endswith(r.family))).sign_in()
    reader.goto(f"/app/read/{read}")
    return reader


@pytest.mark.parametrize("kind", pictures.KINDS, ids=str)
def test_an_image_looks_as_it_is(network: Network, visit: Visit, kind: Kind) -> None:
    reader = opened(network, visit, kind)
    middle = len(kind.frames) // 2  # where a film is opened
    comes_right(reader, kind, (kind.frames or (pictures.BRIGHT_AT,))[middle])

    # On the large screen of a reading room, too.
    reader.page.set_viewport_size({"width": 2560, "height": 1440})
    comes_right(reader, kind, (kind.frames or (pictures.BRIGHT_AT,))[middle])

    # The wheel goes through the frames, one by one and back.
    steps = [(n, 120) for n in range(middle + 1, len(kind.frames))] + [(n, -120) for n in range(len(kind.frames) - 1)][
        ::-1
    ]
    for number, turn in steps:
        box = canvas_of(reader).bounding_box()
        assert box
        reader.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        reader.page.mouse.wheel(0, turn)
        comes_right(reader, kind, kind.frames[number])


def test_a_film_plays(network: Network, visit: Visit) -> None:
    """The frames of an ultrasound clip follow one another by themselves, each whole."""
    kind = next(kind for kind in pictures.KINDS if kind.frames)
    reader = opened(network, visit, kind)
    comes_right(reader, kind, kind.frames[len(kind.frames) // 2])
    reader.page.keyboard.press("c")
    met: set[int] = set()

    def all_were_met() -> bool:
        screen = seen(reader)
        met.update(n for n, at in enumerate(kind.frames) if wrong(screen, kind, at) == [])
        return len(met) == len(kind.frames)

    Platform.until(all_were_met, 40, f"each of {len(kind.frames)} frames is met")
