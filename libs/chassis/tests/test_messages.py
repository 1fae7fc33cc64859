"""Messages to people, on a real mail server and a stand-in of Notify's API: sent once, whatever goes wrong, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from bdcan_chassis import metrics
from bdcan_chassis.erasure import Eraser
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.housekeeping import sample
from bdcan_chassis.ids import new_id
from bdcan_chassis.messages import message as rules
from bdcan_chassis.messages.answers import Addressee, Dropped, NotNow
from bdcan_chassis.messages.book import drop_messages
from bdcan_chassis.messages.gateway import NO_WAY, Messenger
from bdcan_chassis.messages.message import MESSAGE, MOST_ATTEMPTS, Channel, Kind, Message, MessageState
from bdcan_chassis.messages.notify import notify_client
from bdcan_chassis.messages.samples import SAMPLES
from bdcan_chassis.messages.settings import MessageSettings
from bdcan_chassis.messages.templates import Rendered, Template, Templates, load_templates
from bdcan_chassis.passes import pass_once
from bdcan_chassis.testing.harness import Harness
from bdcan_chassis.testing.serving import serving
from bdcan_chassis.transaction import Transactions
from bdcan_simulator.post_office import Faults, PostOffice, PostSettings, create_app, serving_mail

KEY = f"test-{new_id()}-{new_id()}"
OFFER = Kind("offer", frozenset({"first_name", "task"}), timedelta(hours=4))
ALARM = Kind("alarm", frozenset({"first_name", "task"}), any_hour=True)
TEMPLATE = Template(
    "A {task} near you", "Hello {first_name},\n\na {task} near you.\n", "Hello {first_name}: {task}"
)
TEMPLATES = Templates({"offer": OFFER, "alarm": ALARM}, {"en": {"offer": TEMPLATE, "alarm": TEMPLATE}}, {})
ADA = "ada@example.org"
PHONE = "07700900123"


@dataclass
class Post:
    """A service that tells people things, and where what it sends arrives."""

    ledger: Harness
    office: PostOffice
    settings: MessageSettings
    found: Addressee | Dropped | NotNow = field(
        default_factory=lambda: Addressee({Channel.EMAIL: ADA}, {"first_name": "Ada", "task": "walk"})
    )
    resolved: int = 0

    async def resolve(self, _transactions: Transactions, _message: Message) -> Addressee | Dropped | NotNow:
        self.resolved += 1
        return self.found

    @property
    def messenger(self) -> Messenger:
        return Messenger(self.settings, TEMPLATES, self.resolve)

    async def tell(
        self, kind: Kind = OFFER, occasion: str = "first", who: UUID | None = None, about: UUID | None = None
    ) -> UUID:
        about = about or new_id()
        async with self.ledger.transactions.begin() as tx:
            one = kind.to("volunteer", who or new_id(), about, occasion, tx.now)
            tx.tell(one)
        return one.message_id

    async def send(self) -> int:
        return (await pass_once(self.messenger.gateway(), self.ledger.transactions))[0]

    async def state(self, message_id: UUID) -> Message:
        async with self.ledger.transactions.pool.acquire() as connection:
            [found] = await MESSAGE.find(connection, [message_id])
        return found

    def by(self, *channels: Channel) -> None:
        addresses = {Channel.EMAIL: ADA, Channel.TEXT: PHONE}
        self.found = Addressee(
            {one: addresses[one] for one in channels}, {"first_name": "Ada", "task": "walk"}
        )

    def later(self, span: timedelta) -> None:
        self.ledger.clock.advance(span)


@pytest.fixture
async def post(ledger: Harness) -> AsyncIterator[Post]:
    await ledger.owner.execute("TRUNCATE chassis.message, chassis.erasure")
    office = PostOffice()
    app = create_app(office, PostSettings.model_validate({"port": 0, "smtp_port": 0, "notify_key": KEY}))
    async with serving(app) as url, serving_mail(office, "127.0.0.1", 0) as smtp_port:
        more = {
            "smtp_host": "127.0.0.1",
            "smtp_port": smtp_port,
            "smtp_security": "none",
            "smtp_sender": "BD CAN <help@example.org>",
            "notify_url": url,
            "notify_key": KEY,
            "notify_templates": {"*": str(new_id())},
        }
        settings = MessageSettings.model_validate(ledger.service.settings.model_dump() | more)
        yield Post(ledger, office, settings)


async def test_email_arrives_once(post: Post) -> None:
    message_id = await post.tell()
    assert await post.send() == 1
    assert await post.send() == 0
    [mail] = post.office.came()
    assert (mail.to, mail.subject, mail.kind, mail.times) == (ADA, "A walk near you", "offer", 1)
    assert "Hello Ada," in mail.body
    done = await post.state(message_id)
    assert (done.state, done.channel, done.attempts) == ("sent", "email", 1)
    assert mail.reference == f"<{message_id}@example.org>" == done.provider_id


async def test_row_holds_nobody(post: Post) -> None:
    await post.tell()
    await post.send()
    [row] = await post.ledger.fetch("SELECT m::text AS row FROM chassis.message AS m")
    assert not [word for word in ("Ada", ADA, PHONE, "walk") if word in row["row"]]


async def test_message_is_recorded_once_for_an_occasion(post: Post) -> None:
    who, about = new_id(), new_id()
    first = await post.tell(who=who, about=about)
    assert await post.tell(who=who, about=about) == first
    await post.send()
    assert await post.tell(who=who, about=about) == first, "also when it was sent"
    assert await post.send() == 0
    assert await post.tell(occasion="second", who=who, about=about) != first
    assert await post.send() == 1


async def test_rolled_back_transaction_tells_nobody(post: Post) -> None:
    async def fail() -> None:
        async with post.ledger.transactions.begin() as tx:
            tx.tell(OFFER.to("volunteer", new_id(), new_id(), "first", tx.now))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await post.send() == 0


async def test_text_goes_by_notify(post: Post) -> None:
    post.by(Channel.TEXT)
    message_id = await post.tell()
    assert await post.send() == 1
    [text] = post.office.came()
    assert (text.to, text.body, text.reference) == (PHONE, "Hello Ada: walk", str(message_id))
    assert post.office.asked == [], "nobody asks before the first attempt"


@pytest.mark.parametrize("channel", list(Channel))
async def test_crash_after_sending_sends_no_second_text(post: Post, channel: Channel) -> None:
    post.by(channel)
    message_id = await post.tell()
    messenger = post.messenger
    [claimed] = await messenger._claim(post.ledger.transactions)
    async with notify_client(post.settings) as client:  # the process dies here: the result is not written
        await messenger._attempt(post.ledger.transactions, claimed, client)
    assert await post.send() == 0, "the lease holds"
    post.later(timedelta(minutes=5))
    assert await post.send() == 1
    [came] = post.office.came()
    assert came.times == (1 if channel is Channel.TEXT else 2), "an e-mail comes again under its number"
    assert (await post.state(message_id)).state == "sent"


async def test_crash_in_the_evening_sends_no_second_text_in_the_morning(post: Post) -> None:
    post.by(Channel.TEXT)
    await post.tell(replace(OFFER, lasts=timedelta(days=7)))
    messenger, transactions = post.messenger, post.ledger.transactions
    [claimed] = await messenger._claim(transactions)
    async with notify_client(post.settings) as client:  # the process dies here: the result is not written
        await messenger._attempt(transactions, claimed, client)
    post.later(timedelta(hours=14))
    assert not transactions.calendar.may_ring(transactions.clock.now())
    assert await post.send() == 0, "it waits for the morning"
    post.later(timedelta(hours=12))
    assert await post.send() == 1
    assert [came.times for came in post.office.came()] == [1]


async def test_crash_before_sending_loses_nothing(post: Post) -> None:
    post.by(Channel.TEXT)
    await post.tell()
    await post.messenger._claim(post.ledger.transactions)
    post.later(timedelta(minutes=5))
    assert await post.send() == 1
    assert len(post.office.came()) == 1
    assert len(post.office.asked) == 1


async def test_two_workers_share_the_messages(post: Post) -> None:
    for _ in range(60):
        await post.tell()
    ended = await asyncio.gather(*(post.send() for _ in range(4)))
    while now := await post.send():
        ended.append(now)
    assert sum(ended) == 60
    assert [one.times for one in post.office.came()] == [1] * 60


async def test_text_is_asked_for_after_silence(post: Post) -> None:
    post.by(Channel.TEXT)
    message_id = await post.tell()
    post.office.faults.status_after = 503
    assert await post.send() == 0
    waiting = await post.state(message_id)
    assert (waiting.state, waiting.problem, waiting.in_doubt) == ("queued", "notify-503", True)
    post.office.faults.status_after = None
    post.later(timedelta(minutes=1))
    assert await post.send() == 1
    assert [one.times for one in post.office.came()] == [1]
    assert (await post.state(message_id)).provider_id is not None


async def test_mail_connection_that_breaks_after_the_text_is_retried_under_the_same_number(
    post: Post,
) -> None:
    message_id = await post.tell()
    post.office.faults.breaks_after_data = True
    assert await post.send() == 0
    assert (await post.state(message_id)).in_doubt
    post.office.faults = Faults()
    post.later(timedelta(minutes=1))
    assert await post.send() == 1
    assert [one.times for one in post.office.came()] == [2]


async def test_mail_server_that_is_down_for_a_day_loses_nothing(post: Post) -> None:
    working, post.settings = post.settings, post.settings.model_copy(update={"smtp_port": 1})
    patient = replace(OFFER, lasts=timedelta(days=7))
    kept, late = await post.tell(patient), await post.tell()
    for _ in range(24 * 3):
        assert await post.send() == 0
        post.later(timedelta(minutes=20))
    assert (await post.state(late)).result == "expired"
    waiting = await post.state(kept)
    assert (waiting.state, waiting.problem) == ("queued", "mail-server-away")
    assert 10 < waiting.attempts < MOST_ATTEMPTS
    post.settings = working
    post.later(timedelta(minutes=30))
    assert await post.send() == 1
    assert len(post.office.came()) == 1


async def test_attempts_are_bounded(post: Post) -> None:
    post.settings = post.settings.model_copy(update={"smtp_port": 1})
    message_id = await post.tell(replace(ALARM, lasts=timedelta(days=30)))
    before = metrics.MESSAGES.labels("alarm", "none", "given-up")._value.get()
    for _ in range(MOST_ATTEMPTS):
        await post.send()
        post.later(timedelta(minutes=30))
    assert (await post.state(message_id)).state == "given-up"
    assert metrics.MESSAGES.labels("alarm", "none", "given-up")._value.get() == before + 1


async def test_address_that_does_not_exist_goes_by_the_other_channel(post: Post) -> None:
    post.by(Channel.EMAIL, Channel.TEXT)
    message_id = await post.tell()
    post.office.faults.rcpt = "550 no such user"
    await post.send()
    await post.send()
    done = await post.state(message_id)
    assert (done.state, done.channel, done.refused) == ("sent", "text", ("email",))


async def test_message_fails_when_each_channel_refuses(post: Post) -> None:
    message_id = await post.tell()
    post.office.faults.rcpt = "550 no such user"
    await post.send()
    done = await post.state(message_id)
    assert (done.state, done.problem) == ("failed", "email-550")


@pytest.mark.parametrize(
    ("status", "said", "state"),
    [
        (400, "phone_number Not enough digits", "failed"),
        (400, "Template not found", "queued"),
        (403, "Invalid token", "queued"),
        (429, "Exceeded rate limit", "queued"),
    ],
)
async def test_only_a_bad_number_is_final(post: Post, status: int, said: str, state: str) -> None:
    post.by(Channel.TEXT)
    message_id = await post.tell()
    post.office.faults = Faults(status=status, errors=[{"error": "E", "message": said}])
    await post.send()
    assert (await post.state(message_id)).state == state


async def test_greylisting_is_retried(post: Post) -> None:
    message_id = await post.tell()
    post.office.faults.rcpt = "451 try later"
    await post.send()
    assert (await post.state(message_id)).problem == "email-451"
    post.office.faults = Faults()
    post.later(timedelta(minutes=1))
    assert await post.send() == 1


async def test_message_of_the_evening_waits_for_the_morning(post: Post) -> None:
    post.ledger.clock.instant = datetime(2020, 3, 23, 21, 30, tzinfo=UTC)
    message_id, alarm = await post.tell(replace(OFFER, lasts=timedelta(days=1))), await post.tell(ALARM)
    assert await post.send() == 1
    assert (await post.state(alarm)).state == "sent"
    assert (await post.state(message_id)).due_at == datetime(2020, 3, 24, 9, 0, tzinfo=UTC)
    post.ledger.clock.instant = datetime(2020, 3, 24, 9, 0, tzinfo=UTC)
    assert await post.send() == 1


async def test_retry_does_not_fall_into_the_night(post: Post) -> None:
    post.ledger.clock.instant = datetime(2020, 3, 23, 19, 59, 55, tzinfo=UTC)
    message_id = await post.tell(replace(OFFER, lasts=timedelta(days=1)))
    post.office.faults.rcpt = "451 try later"
    await post.send()
    post.office.faults = Faults()
    post.later(timedelta(minutes=1))
    assert await post.send() == 0
    waiting = await post.state(message_id)
    assert (waiting.state, waiting.due_at) == ("queued", datetime(2020, 3, 24, 9, 0, tzinfo=UTC))


@pytest.mark.parametrize("reason", ["opted-out", "gone", "outdated"])
async def test_message_that_is_not_true_any_more_is_dropped(post: Post, reason: str) -> None:
    message_id = await post.tell()
    post.found = Dropped(reason)
    assert await post.send() == 1
    assert (await post.state(message_id)).result == reason
    assert post.office.came() == []


async def test_message_waits_while_nobody_can_say_where_it_goes(post: Post) -> None:
    message_id = await post.tell()
    post.found = NotNow("disclosure-unavailable")
    await post.send()
    assert (await post.state(message_id)).problem == "disclosure-unavailable"
    post.by(Channel.EMAIL)
    post.later(timedelta(minutes=1))
    assert await post.send() == 1


async def test_without_a_server_messages_wait_and_say_so(post: Post) -> None:
    working, post.settings = post.settings, post.settings.model_copy(update={"smtp_host": ""})
    message_id = await post.tell()
    for _ in range(MOST_ATTEMPTS // 10):
        await post.send()
        post.later(timedelta(minutes=6))
    waiting = await post.state(message_id)
    assert (waiting.state, waiting.problem, waiting.attempts) == ("queued", NO_WAY, 0)
    await sample(post.ledger.transactions, SAMPLES)
    assert metrics.MESSAGE_PROBLEMS.value(NO_WAY) == 1
    assert metrics.MESSAGES_WAITING.value("offer") == 1
    assert metrics.MESSAGES_OLDEST.value() == pytest.approx(MOST_ATTEMPTS // 10 * 360)
    post.settings = working
    assert await post.send() == 1


async def test_erasure_drops_what_was_not_sent(post: Post) -> None:
    who, about = new_id(), new_id()
    to, of, other = await post.tell(who=who), await post.tell(about=about), await post.tell()
    async with post.ledger.transactions.begin() as tx:
        tx.tell(OFFER.to("volunteer", who, about, "at the last moment", tx.now))
        await Eraser("test", (), answer=lambda _said, _rows: pytest.fail("nobody asked")).erase(
            tx, [who, about]
        )
    assert await post.send() == 1
    assert [(await post.state(one)).result for one in (to, of, other)] == ["erased", "erased", "sent"]


async def test_message_that_was_dropped_while_it_was_sent_was_sent(post: Post) -> None:
    message_id = await post.tell()

    async def resolve(transactions: Transactions, message: Message) -> Addressee:
        async with transactions.begin() as tx:
            assert await drop_messages(tx, [message.recipient_id], "gone") == 1
        return Addressee({Channel.EMAIL: ADA}, {"first_name": "Ada", "task": "walk"})

    await Messenger(post.settings, TEMPLATES, resolve)(post.ledger.transactions)
    assert (await post.state(message_id)).state is MessageState.SENT


async def test_name_cannot_add_a_header_or_a_line(post: Post) -> None:
    post.found = Addressee(
        {Channel.EMAIL: ADA}, {"first_name": "Ada\r\nBcc: x@y.z", "task": "a\nb {first_name}"}
    )
    await post.tell()
    assert await post.send() == 1
    [mail] = post.office.came()
    assert mail.subject == "A a b {first_name} near you"
    assert "Hello Ada Bcc: x@y.z," in mail.body


async def test_address_with_a_line_break_is_refused(post: Post) -> None:
    post.found = Addressee({Channel.EMAIL: "a@b.c\r\nBcc: x@y.z"}, {"first_name": "Ada", "task": "walk"})
    message_id = await post.tell()
    await post.send()
    assert (await post.state(message_id)).problem == "email-address"


def test_claim_of_a_lapsed_lease_is_in_doubt() -> None:
    now = datetime(2020, 3, 23, 9, 0, tzinfo=UTC)
    first = rules.claim(OFFER.to("volunteer", new_id(), new_id(), "x", now), now)
    assert not first.in_doubt
    assert rules.claim(first, now).in_doubt


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    name = f"speaks_{new_id().hex}"
    (tmp_path / name / "messages" / "en").mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / name


def write(package: Path, name: str, text: str) -> None:
    path = package / "messages" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_another_language_falls_back_to_english(package: Path) -> None:
    write(package, "en/offer.toml", 'subject = "A {task}"\nemail = "Hello {first_name}"\ntext = "{task}"')
    write(package, "en/words.toml", '[task]\nshopping = "shopping trip"')
    write(package, "pl/words.toml", '[task]\nshopping = "zakupy"')
    templates = load_templates(package.name, (OFFER,))
    words = {"first_name": "Ada", "task": templates.word("pl", "task", "shopping")}
    assert templates.render("offer", "pl", Channel.EMAIL, words) == Rendered("A zakupy", "Hello Ada\n", "en")
    assert templates.word("ur", "task", "shopping") == "shopping trip"
    assert templates.word("ur", "task", "dog-walk") == "dog walk"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("en/other.toml", 'subject = "A"\nemail = "B"\ntext = "C"'),
        ("en/offer.toml", 'subject = "A {surname}"\nemail = "B"\ntext = "C"'),
        ("en/offer.toml", 'subject = "A {task.__class__}"\nemail = "B"\ntext = "C"'),
        ("en/offer.toml", 'subject = "A"\nemail = "B"'),
        ("en/offer.toml", 'subject = """A\nB"""\nemail = "B"\ntext = "C"'),
        ("pl/offer.toml", 'subject = "A"\nemail = "B"\ntext = "C"'),
    ],
)
def test_service_does_not_start_with_a_template_at_fault(package: Path, name: str, text: str) -> None:
    write(package, name, text)
    with pytest.raises(ConfigurationError):
        load_templates(package.name, (OFFER,))
