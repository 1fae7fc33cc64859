"""The words of messages: files in a service's package, one for each language and kind.

`messages/en/offer.toml` holds `subject` and `email` for e-mails, `text` for text messages, and `reviewed = false` until somebody who
speaks the language has read it. `messages/en/words.toml` holds words for codes: a table for each group. `en` has everything. Another
language may lack kinds and words: these come in `en`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from string import Formatter

from msgspec import Struct

from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.messages.message import Channel, Kind

DEFAULT = "en"

_FOLDER = "messages"
_WORDS = "words"


class Template(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind in one language."""

    subject: str
    email: str
    text: str = ""
    reviewed: bool = True

    @property
    def fields(self) -> set[str]:
        """The placeholders that it uses."""
        whole = self.subject + self.email + self.text
        return {name for _, name, _, _ in Formatter().parse(whole) if name is not None}


class Rendered(Struct, frozen=True):
    """What is sent. `language`: the one that it is in, which may not be the one that was asked for."""

    subject: str
    body: str
    language: str


class Templates(Struct, frozen=True):
    """All templates of a service, by language and kind."""

    kinds: Mapping[str, Kind]
    known: Mapping[str, Mapping[str, Template]]
    words: Mapping[str, Mapping[str, Mapping[str, str]]]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have at least one template."""
        return tuple(sorted(self.known))

    def render(self, kind: str, language: str, channel: Channel, words: Mapping[str, str]) -> Rendered:
        """The message in a language. Raises KeyError for a kind that does not exist, or a word that is missing."""
        found = language if kind in self.known.get(language, {}) else DEFAULT
        template = self.known[found][kind]
        plain = {name: " ".join(value.split()) for name, value in words.items()}  # no value begins a line
        body = template.email if channel is Channel.EMAIL else template.text
        return Rendered(template.subject.format_map(plain), body.strip().format_map(plain) + "\n", found)

    def word(self, language: str, group: str, code: str) -> str:
        """The word for a code: in the language, in English, or the code itself with blanks."""
        for one in (language, DEFAULT):
            if word := self.words.get(one, {}).get(group, {}).get(code):
                return word
        return code.replace("-", " ")


def load_templates(package: str, kinds: Iterable[Kind]) -> Templates:
    """Read the templates of a package. Raises ConfigurationError if one is missing in English or uses an unknown placeholder."""
    by_name = {kind.name: kind for kind in kinds}
    known: dict[str, dict[str, Template]] = {}
    words: dict[str, dict[str, dict[str, str]]] = {}
    for folder in files(package).joinpath(_FOLDER).iterdir():
        if not folder.is_dir() or folder.name.startswith("_"):
            continue
        known[folder.name] = {}
        for file in folder.iterdir():
            name, _, ending = file.name.rpartition(".")
            if ending != "toml":
                continue
            content = tomllib.loads(file.read_text("utf-8"))
            if name == _WORDS:
                words[folder.name] = content
            elif name not in by_name:
                raise ConfigurationError(f"{folder.name}/{file.name}: there is no kind of message {name}")
            else:
                known[folder.name][name] = _checked(f"{folder.name}/{file.name}", by_name[name], content)
    if missing := by_name.keys() - known.get(DEFAULT, {}).keys():
        raise ConfigurationError(f"no template in {DEFAULT}: {', '.join(sorted(missing))}")
    return Templates(by_name, known, words)


def _checked(name: str, kind: Kind, content: dict[str, object]) -> Template:
    from msgspec import ValidationError, convert

    try:
        template = convert(content, Template)
    except ValidationError as error:
        raise ConfigurationError(f"{name}: {error}") from error
    if unknown := template.fields - kind.words:
        raise ConfigurationError(f"{name}: {', '.join(sorted(unknown))} is no placeholder of this kind")
    if kind.texts and not template.text:
        raise ConfigurationError(f"{name}: a message that may go as a text has `text`")
    if "\n" in template.subject:
        raise ConfigurationError(f"{name}: a subject is one line")
    return template
