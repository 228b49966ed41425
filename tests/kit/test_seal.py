"""Sealed secrets open with their key and for what they belong to, and in no other case."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from heliograph.kit.seal import BadKey, SealBroken, seal


def test_what_is_sealed_opens_again_and_shows_nothing(tmp_path: Path) -> None:
    one = seal(None, tmp_path)
    sealed = one.close(b"whsec_abc", "endpoint/1/signing")
    assert b"whsec" not in sealed
    assert seal(None, tmp_path).open(sealed, "endpoint/1/signing") == b"whsec_abc"
    assert one.close(b"whsec_abc", "endpoint/1/signing") != sealed
    assert (tmp_path / "secrets.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("how", ["elsewhere", "changed", "cut", "other key"])
def test_it_opens_in_no_other_case(tmp_path: Path, how: str) -> None:
    one = seal(None, tmp_path / "a")
    sealed = one.close(b"secret", "endpoint/1/signing")
    about = "endpoint/2/signing" if how == "elsewhere" else "endpoint/1/signing"
    if how == "changed":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    if how == "cut":
        sealed = sealed[:5]
    with pytest.raises(SealBroken):
        (seal(None, tmp_path / "b") if how == "other key" else one).open(sealed, about)


def test_a_key_may_be_given_to_several_hosts(tmp_path: Path) -> None:
    key = SecretStr(base64.b64encode(bytes(range(32))).decode())
    assert seal(key, tmp_path / "b").open(seal(key, tmp_path / "a").close(b"x", "y"), "y") == b"x"
    assert not (tmp_path / "a").exists()
    for wrong in ("", "short", base64.b64encode(bytes(16)).decode()):
        with pytest.raises(BadKey):
            seal(SecretStr(wrong), tmp_path)
