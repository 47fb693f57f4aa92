"""Links to files: nobody makes one up, changes one, or uses one after its time."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from actors.media.errors import Code, MediaError
from actors.media.links import LATEST, check_link, expiry, link_key, sign_link

KEY = link_key("a secret of the cluster, long enough")
ids = st.text("abcdef0123456789_-", min_size=1, max_size=40)
keys = st.binary(min_size=32, max_size=32)
times = st.integers(0, LATEST)


@given(st.lists(keys, min_size=1, max_size=4), ids, ids, times, st.data())
def test_a_link_is_good_until_its_time_is_over(
    known: list[bytes], instance: str, media: str, expires: int, data: st.DataObject
) -> None:
    query = sign_link(known, instance, media, expires)
    check_link(known, instance, media, **query, now=data.draw(st.integers(0, expires)))
    with pytest.raises(MediaError) as late:
        check_link(known, instance, media, **query, now=expires + 1)
    assert late.value.code is Code.LINK_EXPIRED


@given(keys, st.tuples(ids, ids, times), st.tuples(ids, ids, times))
def test_a_link_is_good_for_nothing_else(
    key: bytes, signed: tuple[str, str, int], used: tuple[str, str, int]
) -> None:
    assume(signed != used)
    signature = sign_link([key], *signed)["signature"]
    instance, media, expires = used
    with pytest.raises(MediaError) as refused:
        check_link([key], instance, media, expires=str(expires), signature=signature, now=0)
    assert refused.value.code is Code.LINK_INVALID


@given(st.text(max_size=60), st.text(max_size=30))
def test_no_text_is_a_link_by_chance_and_none_raises_anything_else(signature: str, expires: str) -> None:
    with pytest.raises(MediaError) as refused:
        check_link([KEY], "i", "med_1", expires=expires, signature=signature, now=0)
    assert refused.value.code is Code.LINK_INVALID


@given(keys, keys)
def test_a_link_of_the_key_before_is_good_as_long_as_that_key_is_known(old: bytes, new: bytes) -> None:
    assume(old != new)
    query = sign_link([old], "i", "med_1", 100)
    check_link([new, old], "i", "med_1", **query, now=0)
    with pytest.raises(MediaError):
        check_link([new], "i", "med_1", **query, now=0)
    assert sign_link([new, old], "i", "med_1", 100) == sign_link([new], "i", "med_1", 100)


def test_the_time_is_signed_as_it_is_written() -> None:
    query = sign_link([KEY], "i", "med_1", 100)
    for other in ("0100", "+100", "1_00", "100 ", "١٠٠"):
        with pytest.raises(MediaError) as refused:
            check_link([KEY], "i", "med_1", expires=other, signature=query["signature"], now=0)
        assert refused.value.code is Code.LINK_INVALID


def test_a_link_lasts_for_its_lifetime() -> None:
    assert expiry(1000.9, 60) == 1060
    assert expiry(1000.0, 10**18) == LATEST


def test_the_key_is_not_the_secret() -> None:
    assert link_key("x" * 32) != ("x" * 32).encode()
    assert link_key("x" * 32) != link_key("y" * 32)
