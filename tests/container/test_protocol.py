"""The contract between the runner and who starts it: forms of a payload, keys, parameters, exit codes."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.batch_job_wire.payload_forms import (
    BUNDLE_TEXT,
    MAX_INLINE_FRAME,
    PayloadForm,
    PayloadFormError,
    from_inline,
    payload_form,
    to_bundle,
    to_inline,
    to_inline_gzip,
)
from container.batch_job_wire.protocol import (
    COMMAND,
    PARAMETER_DEFAULTS,
    RUNNER_FOLDERS,
    RunnerExit,
    blob_key,
    bundle_name,
    bundle_owner,
    fence_key,
    loggable,
    mark_key,
    payload_key,
    result_key,
    results_prefix,
)


@given(frame=st.binary(max_size=5_000))
def test_inline_texts_read_back(frame: bytes) -> None:
    assert from_inline(to_inline(frame)) == frame
    assert from_inline(to_inline_gzip(frame)) == frame == from_inline(to_inline_gzip(frame))


@pytest.mark.parametrize(
    "text", ["", "none", "b:!!!!", "b:abc", "z:AAAA", "q:AAAA", BUNDLE_TEXT, to_inline_gzip(b"x" * 99)[:-8]]
)
def test_a_wrong_inline_text_is_an_error_of_one_sentence(text: str) -> None:
    with pytest.raises(PayloadFormError) as error:
        from_inline(text)
    assert len(str(error.value).splitlines()) == 1


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(MAX_INLINE_FRAME + 1))
    with pytest.raises(PayloadFormError, match="unpacks to more than"):
        from_inline("z:" + to_inline(bomb)[2:])


def test_every_form_is_told_by_its_beginning() -> None:
    texts = [to_inline(b"frame"), to_inline_gzip(b"frame"), BUNDLE_TEXT]
    assert [payload_form(text) for text in texts] == list(PayloadForm)


@pytest.mark.parametrize("text", ["q:AAAA", "s3:AAAA", "b", "S3"])
def test_an_unknown_form_is_an_error(text: str) -> None:
    with pytest.raises(PayloadFormError, match="unknown form"):
        payload_form(text)


@pytest.mark.parametrize("text", ["s3:", "s3:xyz", f"s3:{'0' * 31}", f"s3:{'0' * 33}", f"s3:{'0' * 32}/..", "s3\n"])
def test_a_bundles_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(PayloadFormError, match="unknown form"):
        payload_form(text)


def test_the_name_of_a_bundle_holds_128_random_bits_which_no_log_tells() -> None:
    text = to_bundle(bytes(range(16)))
    name = bundle_name("5" * 32, text)
    assert (payload_form(text), name) == (PayloadForm.BUNDLE, f"{'5' * 32}-000102030405060708090a0b0c0d0e0f")
    assert (bundle_owner(name), loggable(payload_key(name))) == ("5" * 32, f"payloads/{'5' * 32}")


def test_what_was_released_keeps_its_meaning() -> None:
    """Images and engines of different releases meet: nothing of this may ever change."""
    assert {code.name: int(code) for code in RunnerExit} == {
        "DONE": 0,
        "FUNCTION_FAILED": 1,
        "UNLOADABLE": 2,
        "TRY_AGAIN": 75,
        "REFUSED": 76,
        "UNWRITTEN": 77,
        "TERMINATED": 143,
    }
    keys = (blob_key("d"), payload_key("s"), result_key("s", bytes(16)), fence_key("s"))
    assert keys == ("objects/d", "payloads/s", f"results/s/{'0' * 32}", "fence/s")
    assert (mark_key("s", bytes(16)), results_prefix("s")) == (f"fence/s/{'0' * 32}", "results/s/")
    assert tuple(key.partition("/")[0] for key in keys) == RUNNER_FOLDERS
    assert (payload_form(BUNDLE_TEXT), bundle_name("s", BUNDLE_TEXT)) == (PayloadForm.BUNDLE, "s")
    assert " ".join(COMMAND) == (
        "--store Ref::store --submission Ref::submission --payload Ref::payload --options Ref::options"
    )
    assert PARAMETER_DEFAULTS == {"store": "none", "submission": "none", "payload": "none", "options": "none"}
    assert {form.name: form.value for form in PayloadForm} == {"PLAIN": "b", "GZIP": "z", "BUNDLE": "s3"}
