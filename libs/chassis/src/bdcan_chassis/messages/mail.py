"""E-mail, by SMTP.

SMTP cannot be asked whether it has a message. If the connection breaks after DATA, the e-mail is sent again with the same Message-ID, by
which mail servers and programs recognise a repetition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from uuid import UUID

import aiosmtplib
from aiosmtplib import SMTP

from bdcan_chassis.messages.answers import Answer, NotNow, Refused, Sent
from bdcan_chassis.messages.message import Message
from bdcan_chassis.messages.settings import MessageSettings
from bdcan_chassis.messages.templates import Rendered

_CLOSE_SECONDS = 1.0


def is_on(settings: MessageSettings) -> bool:
    """Whether e-mails can be sent."""
    return bool(settings.smtp_host and settings.smtp_sender)


async def send_mail(settings: MessageSettings, message: Message, to: str, rendered: Rendered) -> Answer:
    """Make one attempt."""
    try:
        content = _composed(settings, message, to, rendered).as_bytes()
        to.encode("ascii")
    except (ValueError, UnicodeError):
        return Refused("email-address")
    smtp = SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username or None,
        password=settings.smtp_password.get_secret_value() or None,
        use_tls=settings.smtp_security == "tls",
        start_tls=settings.smtp_security == "starttls",
        timeout=settings.smtp_timeout.total_seconds(),
    )
    handed_over = False
    try:
        async with asyncio.timeout(settings.smtp_timeout.total_seconds()):
            await smtp.connect()
            await smtp.mail(parseaddr(settings.smtp_sender)[1])
            await smtp.rcpt(to)
            handed_over = True
            await smtp.data(content)
    except aiosmtplib.SMTPRecipientRefused as error:
        return Refused(f"email-{error.code}") if error.code >= 500 else NotNow(f"email-{error.code}")
    except aiosmtplib.SMTPDataError as error:
        return Refused(f"email-{error.code}") if error.code >= 500 else NotNow(f"email-{error.code}")
    except aiosmtplib.SMTPResponseException as error:  # our account or our sender: an operator can mend it
        return NotNow(f"mail-server-{error.code}", in_doubt=handed_over)
    except (aiosmtplib.SMTPException, OSError, ValueError):
        return NotNow("mail-server-away", in_doubt=handed_over)
    finally:
        await _close(smtp)
    return Sent(_number(settings, message.message_id))


async def _close(smtp: SMTP) -> None:
    """Say goodbye. Whatever goes wrong here, the server has answered before."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await smtp.quit()
    except (aiosmtplib.SMTPException, OSError):
        smtp.close()


def _composed(settings: MessageSettings, message: Message, to: str, rendered: Rendered) -> EmailMessage:
    mail = EmailMessage()
    headers: Mapping[str, str] = {
        "From": settings.smtp_sender,
        "To": to,
        "Subject": rendered.subject,
        "Date": format_datetime(message.told_at),
        "Message-ID": _number(settings, message.message_id),
        "Content-Language": rendered.language,
        "Auto-Submitted": "auto-generated",  # RFC 3834: no out-of-office answer
        "X-BDCAN-Kind": message.kind,
    }
    for name, value in headers.items():
        mail[name] = value
    mail.set_content(rendered.body)
    return mail


def _number(settings: MessageSettings, message_id: UUID) -> str:
    domain = parseaddr(settings.smtp_sender)[1].rpartition("@")[2] or "localhost"
    return f"<{message_id}@{domain}>"
