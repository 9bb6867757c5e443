"""Locations over the API."""

from tests.api.conftest import Caller
from tests.conftest import Cast, signed_in


def test_locations_are_listed(cast: Cast, till: Caller) -> None:
    rows = till.get("locations/").json()["results"]
    assert [(row["id"], row["name"]) for row in rows] == [(cast.uptown.pk, "Uptown"), (cast.downtown.pk, "Downtown")]
    assert till.get(f"locations/{cast.downtown.pk}/").json() == rows[1]


def test_who_is_limited_to_a_location_sees_that_one(limited: Cast) -> None:
    bob = signed_in(limited.bob)
    assert [row["name"] for row in bob.get("/api/v1/locations/").json()["results"]] == ["Downtown"]
    assert bob.get(f"/api/v1/locations/{limited.uptown.pk}/").status_code == 404
