"""Each payload takes the first route of the table that it fits."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.batch_job_wire.payload_forms import BUNDLE_TEXT, PayloadForm, PayloadFormError, from_inline, to_bundle
from engine.aws.limits import INLINE_TEXT_LIMIT
from engine.backends.batch.submit.payload_router import ROUTES, Room, route_of, route_payload
from engine.model import Route

TOKEN = bytes(range(16))
WIDE = Room.within(28 * 1024)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_up_to_4_kib_travels_as_it_is() -> None:
    assert route_payload(noise(4096), WIDE, TOKEN).route is Route.INLINE


def test_past_4_kib_is_compressed_when_that_fits() -> None:
    assert route_payload(noise(4097), WIDE, TOKEN).route is Route.GZIP
    assert route_payload(bytes(5_000_000), WIDE, TOKEN).route is Route.GZIP


def test_what_does_not_fit_goes_to_s3() -> None:
    routed = route_payload(noise(30_000), WIDE, TOKEN)
    assert (routed.route, routed.text, routed.wire_bytes) == (Route.S3, "s3:000102030405060708090a0b0c0d0e0f", 30_000)
    assert route_payload(noise(5_000_000), WIDE, TOKEN).route is Route.S3


def test_the_encoded_text_is_what_counts() -> None:
    assert route_payload(noise(6_000), Room.within(8_000), TOKEN).route is Route.S3
    assert route_payload(noise(5_900), Room.within(8_000), TOKEN).route is Route.GZIP


def test_no_room_means_s3_for_everything() -> None:
    assert route_payload(b"x", Room(0), TOKEN).route is Route.S3


def test_small_but_too_long_for_its_queue_is_compressed() -> None:
    assert route_payload(bytes(3_000), Room.within(1_000), TOKEN).route is Route.GZIP


def test_room_is_never_negative_and_never_past_28_kib() -> None:
    assert Room.within(-5).text == 0
    assert Room.within(10**9).text == INLINE_TEXT_LIMIT


@given(st.binary(max_size=20_000), st.integers(0, 30_000))
def test_inline_text_fits_its_room_and_gives_the_frame_back(frame: bytes, limit: int) -> None:
    room = Room.within(limit)
    routed = route_payload(frame, room, TOKEN)
    if routed.route is not Route.S3:
        assert len(routed.text) == routed.wire_bytes <= room.text
        assert from_inline(routed.text) == frame


@pytest.mark.parametrize(
    ("frame", "room", "says"),
    [
        (noise(4096), WIDE, "4,096 bytes are not more than 4,096"),
        (bytes(5_000_000), WIDE, "of 28,672 that the job has room for"),
        (noise(30_000), WIDE, "30,000 bytes don't fit into 28,672 characters"),
        (b"x", Room(0), "may carry no payload"),
    ],
)
def test_each_route_says_why_with_its_numbers(frame: bytes, room: Room, says: str) -> None:
    assert says in route_payload(frame, room, TOKEN).why


def test_every_form_of_a_payload_has_a_route() -> None:
    assert set(ROUTES) == set(PayloadForm)
    assert set(ROUTES.values()) == set(Route)
    assert [route_of(text) for text in ("b:AAAA", "z:AAAA", to_bundle(TOKEN), BUNDLE_TEXT)] == [
        Route.INLINE,
        Route.GZIP,
        Route.S3,
        Route.S3,
    ]


def test_an_unknown_form_is_an_error_and_no_route() -> None:
    with pytest.raises(PayloadFormError, match="unknown form 'q'"):
        route_of("q:AAAA")
