from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from loyalty.models import Program, Reward
from loyalty.pictures import MAX_BYTES
from tests.conftest import Cast
from tests.loyalty.ledger_stage import make_member
from tests.loyalty.reward_stage import RewardStage

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 9


@pytest.fixture
def program(cast: Cast, settings: Any, tmp_path: Path) -> Program:
    settings.MEDIA_ROOT = tmp_path
    with tenant(cast.saffron.pk):
        return Program.objects.create(name="Saffron points", slug="points", state="active")


def typed(program: Program, **values: object) -> dict[str, object]:
    common = {"program": program.pk, "name": "Haircut", "kind": "service", "points": 500, "cash_minor": 0, "limit_period": "month"}
    return common | {"is_active": "on"} | values


def test_a_reward_is_added_with_its_picture_and_changed_without_touching_what_is_sold(
    cast: Cast, program: Program, as_alice: Client, tmp_path: Path
) -> None:
    answer = as_alice.post(reverse("admin:loyalty_reward_add"), typed(program, picture=SimpleUploadedFile("Me at home.gif", PNG), stock=5))
    assert answer.status_code == 302
    with tenant(cast.saffron.pk):
        reward = Reward.objects.get()
        assert (reward.points, reward.stock, reward.sold) == (500, 5, 0)
        first = str(reward.picture.name)
        assert (first.startswith(f"{cast.saffron.pk}/reward/"), first.endswith(".png"), "home" in first) == (True, True, False)
        assert (tmp_path / first).read_bytes() == PNG
        Reward.objects.update(sold=2)
    as_alice.post(reverse("admin:loyalty_reward_change", args=[reward.pk]), typed(program, points=600, stock=5))
    with tenant(cast.saffron.pk):
        reward.refresh_from_db()
        assert (reward.points, reward.sold, reward.picture.name) == (600, 2, first)
        audit = AuditEntry.objects.get(action="reward.changed")
        assert (audit.before, audit.after, audit.actor_label) == ({"points": 500}, {"points": 600}, "Alice")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "The picture has to be a PNG, JPEG or WebP file."),
        (PNG + b"0" * MAX_BYTES, "The picture is larger than 2 MB."),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused(
    cast: Cast, program: Program, as_alice: Client, tmp_path: Path, content: bytes, reason: str
) -> None:
    answer = as_alice.post(reverse("admin:loyalty_reward_add"), typed(program, picture=SimpleUploadedFile("a.png", content, "image/png")))
    assert (answer.status_code, reason in answer.content.decode()) == (200, True)
    with tenant(cast.saffron.pk):
        assert Reward.objects.count() == 0
    assert list(tmp_path.iterdir()) == []


def test_the_front_desk_reads_rewards_and_vouchers_and_another_organization_neither(
    cast: Cast, program: Program, as_bob: Client, as_charlie: Client
) -> None:
    with tenant(cast.saffron.pk):
        stage = RewardStage(make_member(program))
        stage.earn(100)
        voucher = stage.buy(stage.reward(60)).voucher
    listed = reverse("admin:loyalty_voucher_changelist")
    assert voucher.code in as_bob.get(listed).content.decode()
    assert voucher.code not in as_charlie.get(listed).content.decode()
    assert as_bob.post(reverse("admin:loyalty_reward_add"), typed(program)).status_code == 403
    change = reverse("admin:loyalty_reward_change", args=[voucher.reward_id])
    assert as_bob.get(change).status_code == 200
    assert as_bob.post(change, typed(program, points=1)).status_code == 403


def test_a_picture_that_is_lost_to_a_mistake_elsewhere_is_asked_for_again(cast: Cast, program: Program, as_alice: Client) -> None:
    def add(**values: object) -> str:
        return as_alice.post(reverse("admin:loyalty_reward_add"), typed(program, **values)).content.decode()

    words = "The file was not kept: choose it again."
    assert words in add(points="", picture=SimpleUploadedFile("a.png", PNG))
    assert words not in add(points="")
    assert words not in add(points="", picture=SimpleUploadedFile("a.png", b"no picture")), "it has to be another one"
    with tenant(cast.saffron.pk):
        assert Reward.objects.count() == 0
    as_alice.cookies["django_language"] = "fa"
    assert "پرونده نگه داشته نشد؛ دوباره انتخابش کنید." in add(points="", picture=SimpleUploadedFile("a.png", PNG))
