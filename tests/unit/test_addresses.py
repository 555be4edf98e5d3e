"""Which addresses of buckets are understood, and what is said of the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidUri
from holdfast.stores.addresses import KINDS, Place, place_in


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("s3://bucket", Place("s3", "bucket")),
        ("s3://bucket/", Place("s3", "bucket")),
        ("gs://my_bucket.example.com/team", Place("gs", "my_bucket.example.com", "team")),
        ("az://container/team/time-track_1.x/", Place("az", "container", "team/time-track_1.x")),
    ],
)
def test_an_address_names_a_bucket_and_a_prefix(address: str, place: Place) -> None:
    assert place_in(address) == place


@given(
    st.sampled_from(KINDS),
    st.from_regex(r"[a-z0-9][a-z0-9-]{2,20}", fullmatch=True),
    st.lists(st.from_regex(r"[a-z0-9][a-z0-9.]{0,9}", fullmatch=True), max_size=3),
)
def test_a_place_is_written_as_its_address(kind: str, bucket: str, parts: list[str]) -> None:
    place = Place(kind, bucket, "/".join(parts))
    assert place_in(str(place)) == place


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("s3:bucket", "begins with"),
        ("http://bucket", "begins with"),
        ("s3://", "names no bucket"),
        ("s3:///prefix", "names no bucket"),
        ("az://-c", "names no bucket"),
        ("s3://bucket//team", "prefix"),
        ("s3://bucket/../other", "prefix"),
        ("s3://bucket/.hidden", "prefix"),
        ("gs://bucket/a b", "prefix"),
        ("s3://key:hunter2@bucket/team", "no credentials"),
        ("az://container?sig=hunter2", "no credentials"),
        ("s3://bucket#hunter2", "no credentials"),
    ],
)
def test_another_form_is_refused_and_no_secret_is_quoted(address: str, problem: str) -> None:
    with pytest.raises(InvalidUri, match=problem) as refused:
        place_in(address)
    assert "hunter2" not in str(refused.value)
