"""Phantoms for the demonstration: a head, a chest, a piece of liver, as arrays. No patient was ever here.

Everything is numpy over whole volumes, and the same seed gives the same voxels.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

F: TypeAlias = NDArray[np.floating[Any]]
U16: TypeAlias = NDArray[np.uint16]
U8: TypeAlias = NDArray[np.uint8]

HEAD_FOV_MM = 230.0


def _grid(size: int, knots: int) -> F:
    """Linear interpolation from `knots` points to `size` points, as a matrix (size, knots)."""
    at = np.linspace(0, knots - 1, size)
    left = np.minimum(at.astype(int), knots - 2)
    matrix = np.zeros((size, knots), np.float32)
    rows = np.arange(size)
    matrix[rows, left] = 1 - (at - left)
    matrix[rows, left + 1] = at - left
    return matrix


def _cloud(random: np.random.Generator, shape: tuple[int, int, int], knots: int) -> F:
    """Smooth noise in -1..1 of the given shape (slices, rows, columns)."""
    depth = max(2, min(shape[0], knots // 2))
    raw = random.uniform(-1, 1, (depth, knots, knots)).astype(np.float32)
    rows, columns = _grid(shape[1], knots), _grid(shape[2], knots)
    planes = rows @ raw @ columns.T
    cloud: F = np.tensordot(_grid(shape[0], depth), planes, axes=1).astype(np.float32)
    return cloud


def _step(low: float, high: float, values: F) -> F:
    """Smooth step from 0 below `low` to 1 above `high`."""
    t = np.clip((values - low) / (high - low), 0, 1)
    made: F = (t * t * (3 - 2 * t)).astype(np.float32)
    return made


def head(slices: int, *, seed: int, bleed: bool = False, ventricles: float = 1.0, size: int = 256) -> F:
    """A head from skull base to vertex in Hounsfield units without noise: (slices, size, size), feet first.

    With `bleed`: an acute subdural haematoma on the patient's left (image right), about 12 mm thick, the
    midline shifted by about 8 mm, the left ventricle narrowed.
    """
    random = np.random.default_rng(seed)
    line = np.linspace(-1, 1, size, dtype=np.float32)
    top, left = int(size * 0.06), int(size * 0.14)  # around it there is air
    y, x = line[None, top : size - top, None], line[None, None, left : size - left]
    shape = (slices, y.shape[1], x.shape[2])
    z = np.linspace(0.02, 0.985, slices, dtype=np.float32)[:, None, None]
    coarse, fine = _cloud(random, shape, 9), _cloud(random, shape, 40)

    scale = np.sqrt(1 - (z * 0.97) ** 2.6)
    a, b = 0.69 * scale, 0.85 * scale
    radius = np.sqrt((x / a) ** 2 + (y * (1 + 0.02 * np.sign(y)) / b) ** 2) + 0.012 * coarse
    thick = 0.085 + 0.05 * (1 - scale)
    depth = 0.905 - thick - radius  # below the inner table, as a part of the radius

    shift = np.zeros_like(x)
    if bleed:
        push = 0.085 * np.exp(-((z - 0.5) ** 2) / 0.11)
        shift = (push * np.exp(-(x**2) / 0.22) * np.clip(1 - (y / 0.8) ** 2, 0, 1)).astype(np.float32)
    xs = x + shift
    hu = _brain(xs, y, z, depth, coarse, fine, ventricles=ventricles, narrow=0.55 if bleed else 1.0)
    if bleed:
        angle = np.arctan2(y, x)
        crescent = 0.17 * np.cos(np.clip((angle + 0.15) * 1.05, -1.57, 1.57)) - 0.015
        crescent = crescent * np.exp(-((z - 0.52) ** 2) / 0.09) + 0.006 * coarse
        inside = _step(-0.008, 0.012, crescent - depth) * (x > 0)
        hu += inside * (66 + 6 * fine + 4 * coarse - hu)
    hu = _base(hu, x, y, z)
    relative = (radius - (0.905 - thick)) / thick
    table = 1150 - 560 * np.exp(-(((relative - 0.5) / 0.2) ** 2)) + 120 * fine
    bone = _step(-0.006, 0.006, -depth)
    hu += bone * (table - hu)
    scalp = _step(0.902, 0.912, radius)
    soft = np.where(radius > 0.972, 35.0, -85 + 25 * fine)
    hu += scalp * (soft - hu)
    hu += _step(0.992, 1.004, radius) * (-1000 - hu)
    made: F = np.full((slices, size, size), -1000, np.float32)
    made[:, top : size - top, left : size - left] = hu
    return made


def between(hu: F) -> F:
    """Twice as many slices: each given one and the mean with its neighbour, (2n, rows, columns)."""
    made = np.empty((2 * len(hu), *hu.shape[1:]), np.float32)
    made[::2] = hu
    made[1:-1:2] = (hu[:-1] + hu[1:]) / 2
    made[-1] = hu[-1]
    return made


def _brain(x: F, y: F, z: F, depth: F, coarse: F, fine: F, *, ventricles: float, narrow: float) -> F:
    """Grey and white matter, sulci, falx, deep nuclei and ventricles."""
    white = _step(0.05, 0.15, depth + 0.05 * fine)
    hu = 38.0 - 9 * white + 1.2 * coarse
    folds = np.abs(np.sin(15 * np.arctan2(y, x) + 7 * coarse + 7 * z))
    reach = 0.17 + 0.07 * coarse + 0.07 * fine
    sulci = (1 - _step(0.04, 0.34, folds + 0.12 * fine)) * (1 - _step(0.2, 1.0, depth / reach))
    hu -= 30 * sulci
    hu -= 28 * (1 - _step(0.0, 0.024, depth))  # fluid over the convexity
    for side in (1, -1):
        _blob(hu, x, y, z, (side * 0.13, -0.02, 0.42), (0.085, 0.15, 0.14), 36.5)
        _blob(hu, x, y, z, (side * 0.06, 0.12, 0.42), (0.055, 0.09, 0.10), 36.5)
        sylvian = np.abs(y + 0.05 - 0.12 * (side * x - 0.35)) + np.abs(z - 0.36) * 0.25
        hu += (1 - _step(0.008, 0.04, sylvian)) * _step(0.3, 0.34, side * x) * 0.8 * (9 - hu)
    for side in (1, -1):
        slant = x + side * 0.28 * (y + 0.02)  # the horns diverge forwards, the atria backwards
        spread = x - side * 0.35 * (y - 0.2)
        wide = ventricles * (narrow if side > 0 else 1.0)
        _blob(hu, slant, y, z, (side * 0.055, -0.17, 0.55), (0.042 * wide, 0.16, 0.13), 5)
        _blob(hu, x, y, z, (side * 0.07, 0.03, 0.66), (0.04 * wide, 0.2, 0.09), 5)
        _blob(hu, spread, y, z, (side * 0.15, 0.27, 0.52), (0.05 * wide, 0.14, 0.14), 5)
        _blob(hu, x, y, z, (side * 0.15, 0.25, 0.47), (0.017, 0.03, 0.03), 150)  # choroid plexus
    _blob(hu, x, y, z, (0, 0.06, 0.42), (0.013 * ventricles, 0.08, 0.08), 5)
    _blob(hu, x, y, z, (0, 0.2, 0.43), (0.012, 0.015, 0.025), 130)  # pineal
    falx = (1 - _step(0.004, 0.012, np.abs(x + 0.006 * coarse))) * _step(0.45, 0.62, z + 0.35 * np.abs(y))
    hu += falx * (46 - hu)
    made: F = hu
    return made


def _base(hu: F, x: F, y: F, z: F) -> F:
    """Skull base: petrous bones with air cells, orbits, sinuses; basal cisterns above it."""
    low = 1 - _step(0.12, 0.2, z)
    for side in (1, -1):
        _blob(hu, x, y, z, (side * 0.3, 0.2, 0.0), (0.24, 0.07, 0.14), 1300)
        _blob(hu, x, y, z, (side * 0.42, 0.3, 0.0), (0.06, 0.08, 0.12), -650)
        _blob(hu, x, y, z, (side * 0.27, -0.56, 0.0), (0.15, 0.2, 0.13), -70)
        _blob(hu, x, y, z, (side * 0.27, -0.6, 0.0), (0.1, 0.1, 0.1), 20)
    _blob(hu, x, y, z, (0, -0.6, 0.0), (0.09, 0.16, 0.16), -900)
    hu += low * (1 - _step(0.02, 0.05, np.abs(np.abs(x) * 0.7 + y + 0.12))) * 0.8 * (1100 - hu)
    _blob(hu, x, y, z, (0, -0.03, 0.2), (0.1, 0.1, 0.05), 7)  # suprasellar cistern
    return hu


def _blob(
    hu: F, x: F, y: F, z: F, centre: tuple[float, float, float], radii: tuple[float, float, float], value: float
) -> None:
    """Set an ellipsoid with a soft edge to `value`, in place; only the slices that it reaches are touched."""
    reached = np.flatnonzero(np.abs(z[:, 0, 0] - centre[2]) < 1.12 * radii[2])
    if not len(reached):
        return
    some = slice(reached[0], reached[-1] + 1)
    across = ((x[some] if len(x) > 1 else x) - centre[0]) / radii[0]
    q = across**2 + ((y - centre[1]) / radii[1]) ** 2 + ((z[some] - centre[2]) / radii[2]) ** 2
    hu[some] += np.clip((1.25 - q) * 2, 0, 1) * (value - hu[some])


def ct_pixels(hu: F, *, seed: int, noise_hu: float) -> U16:
    """Stored values (HU + 1024, 12 bits) at twice the rows and columns, with CT noise: (slices, 2n, 2n)."""
    random = np.random.default_rng(seed)
    size, spare = hu.shape[1] * 2, 128
    tile = random.normal(0, 1, (size + spare + 2, size + spare + 2)).astype(np.float32)
    # A little smoothing gives the grain of a soft-tissue kernel.
    tile = tile[1:-1, 1:-1] + 0.5 * (tile[:-2, 1:-1] + tile[2:, 1:-1] + tile[1:-1, :-2] + tile[1:-1, 2:])
    tile *= noise_hu / tile.std()
    tile += 1024.5
    made = np.empty((len(hu), size, size), np.uint16)
    image, wide = np.empty((size, size), np.float32), np.empty((size // 2, size), np.float32)
    for k, plane in enumerate(hu):
        down, right = random.integers(0, spare, 2)
        wide[:, ::2] = plane
        wide[:, 1:-1:2] = (plane[:, :-1] + plane[:, 1:]) * 0.5
        wide[:, -1] = plane[:, -1]
        image[::2] = wide
        image[1:-1:2] = (wide[:-1] + wide[1:]) * 0.5
        image[-1] = wide[-1]
        image += tile[down : down + size, right : right + size]
        np.clip(image, 0, 4095, out=image)
        made[k] = image
    return made


# Signal of tissue by its Hounsfield value: air, fat, fluid, white matter, grey matter, blood, bone.
_TISSUE = np.array([-1000, -300, -90, 6, 28, 38, 66, 300, 1200], np.float32)
_T1 = np.array([0, 300, 900, 130, 560, 420, 480, 60, 20], np.float32)
_FLAIR = np.array([0, 200, 520, 45, 360, 470, 600, 50, 15], np.float32)


def mr_pixels(hu: F, *, seed: int, flair: bool) -> U16:
    """Magnitude signal of a head, T1- or FLAIR-like, with Rician noise: the shape of `hu`, 12 bits."""
    random = np.random.default_rng(seed)
    signal = np.interp(hu, _TISSUE, _FLAIR if flair else _T1).astype(np.float32)
    noise = random.normal(0, 9, (2, *hu.shape[1:])).astype(np.float32)
    shade = 1 + 0.12 * np.linspace(-1, 1, hu.shape[1], dtype=np.float32)[:, None]
    made: U16 = np.clip(np.hypot(signal * shade + noise[0], noise[1]), 0, 4095).astype(np.uint16)
    return made


def chest(*, seed: int, size: int = 2048) -> U16:
    """A frontal chest radiograph, bright where dense: (size, size), 12 bits."""
    random = np.random.default_rng(seed)
    small = size // 4
    y, x = np.linspace(-1, 1, small, dtype=np.float32)[:, None], np.linspace(-1, 1, small, dtype=np.float32)
    body = 1 - _step(0.9, 0.97, np.sqrt((x / 0.92) ** 6 + ((y - 0.25) / 1.3) ** 6).astype(np.float32))
    thickness = body * (0.62 + 0.2 * _step(-0.2, 1, y + 0 * x))
    for side in (1, -1):
        wide = 0.30 + 0.05 * _step(-0.8, 0.4, y)
        lung = ((side * x - 0.40) / wide) ** 2 + ((y + 0.08) / 0.72) ** 4
        dome = y - (0.52 - 0.10 * side * 0.4) - 0.5 * (side * x - 0.38) ** 2
        thickness = thickness - 0.40 * (1 - _step(0.85, 1.1, lung)) * (1 - _step(-0.02, 0.02, dome))
    heart = ((x - 0.13) / 0.30) ** 2 + ((y - 0.28) / 0.30) ** 2
    thickness += 0.22 * (1 - _step(0.7, 1.1, heart)) * (1 - _step(0.5, 0.56, y))
    thickness += 0.24 * (1 - _step(0.08, 0.15, np.abs(x))) * body
    for rib in range(9):
        arc = y + 0.82 - 0.155 * rib - 0.42 * np.maximum(np.abs(x) - 0.12, 0) ** 0.8
        thickness += 0.055 * np.exp(-((arc / 0.022) ** 2)) * (np.abs(x) < 0.82) * (np.abs(x) > 0.1)
    clavicle = np.abs(y + 0.72 - 0.18 * (0.75 - np.abs(x)))
    thickness += 0.08 * np.exp(-((clavicle / 0.026) ** 2)) * (np.abs(x) < 0.8) * (np.abs(x) > 0.1)
    vessels = _cloud(random, (1, small, small), 60)[0] + _cloud(random, (1, small, small), 120)[0]
    thickness += 0.02 * vessels * np.exp(-(((np.abs(x) - 0.25) / 0.3) ** 2)) * body
    grid = _grid(size, small)
    image = grid @ thickness.astype(np.float32) @ grid.T
    image += random.normal(0, 0.008, (size // 2, size // 2)).astype(np.float32).repeat(2, 0).repeat(2, 1)
    made: U16 = np.clip(250 + 3300 * image, 0, 4095).astype(np.uint16)
    return made


def ultrasound(frames: int, *, seed: int, rows: int = 480, columns: int = 640) -> U8:
    """A sector of liver with a vessel that pulses and breathes: (frames, rows, columns), 8 bits."""
    random = np.random.default_rng(seed)
    y = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(-0.67, 0.67, columns, dtype=np.float32)[None, :]
    far, angle = np.hypot(x, y + 0.18), np.arctan2(x, y + 0.18)
    sector = ((far > 0.24) & (far < 1.12) & (np.abs(angle) < 0.62)).astype(np.float32)
    speckle: F = random.rayleigh(0.55, (rows + 40, columns)).astype(np.float32)
    speckle = np.pad((speckle[:, :-2] + speckle[:, 1:-1] + speckle[:, 2:]) / 3, ((0, 0), (1, 1)), mode="edge")
    texture = 1 + 0.25 * _cloud(random, (1, rows, columns), 14)[0]
    made = np.empty((frames, rows, columns), np.uint8)
    for k in range(frames):
        turn = 2 * np.pi * k / frames
        breath = 0.018 * np.sin(turn)
        beat = 1 + 0.12 * max(0.0, np.sin(3 * turn))
        vessel = ((x - 0.08) / (0.10 * beat)) ** 2 + ((y - 0.52 - breath) / (0.06 * beat)) ** 2
        wall = np.exp(-(((np.sqrt(vessel) - 1.1) / 0.12) ** 2))
        capsule = np.exp(-(((y - 0.2 - 0.08 * x**2 - breath) / 0.012) ** 2))
        echo = 0.42 * texture * (0.12 + 0.88 * _step(0.85, 1.15, vessel.astype(np.float32)))
        echo = (echo + 0.5 * wall + 0.8 * capsule) * np.exp(-0.55 * far)
        moved = speckle[20 + round(breath * rows) :][:rows]
        made[k] = np.clip(235 * echo * moved * sector, 0, 255).astype(np.uint8)
    return made
