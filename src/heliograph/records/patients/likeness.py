"""Whether two patients may be one: a like name. Pure; a person decides, never this."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Final

from heliograph.records.patients.names import Named, normalised

LIKE: Final = 0.82
"""How alike the letters of two whole names must be, of 1; Kristiansen and Christiansen are, Hansen and Larsen are not."""
LIKE_WORD: Final = 0.75
"""The same of one word that somebody typed: Larsen and Larsson are, Larsen and Hansen are not."""

# The same vowel as sites write it with and without their own letters: Mueller, Müller; Haaland, Håland.
_VOWELS: Final = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"))


def plain(text: str) -> str:
    """`text` as names are compared here: normalised, and vowels that are written as two letters as one."""
    found = normalised(text)
    for two, one in _VOWELS:
        found = found.replace(two, one)
    return found


def same_name(one: str, other: str) -> bool:
    """The same words in any order; a middle name or a title that only one bears is no difference. False where one is empty."""
    words, others = set(plain(one).split()), set(plain(other).split())
    return bool(words) and bool(others) and (words <= others or others <= words)


def like_name(one: Named, other: Named) -> bool:
    """The same name, family and given name exchanged, or letters that are nearly the same."""
    first = f"{one.family_name} {one.given_name}"
    orders = f"{other.family_name} {other.given_name}", f"{other.given_name} {other.family_name}"
    if same_name(first, orders[0]):
        return True
    return any(bool(plain(first)) and SequenceMatcher(None, plain(first), plain(o)).ratio() >= LIKE for o in orders)


def begins(words: str, name: Named) -> bool:
    """Each of these words begins a word of the name, or is nearly one: "haug ingr" of Haugland, Ingrid."""
    asked, borne = plain(words).split(), plain(f"{name.family_name} {name.given_name}").split()
    return bool(asked) and all(any(_begins(one, of) for of in borne) for one in asked)


def _begins(one: str, of: str) -> bool:
    return of.startswith(one) or SequenceMatcher(None, one, of).ratio() >= LIKE_WORD
