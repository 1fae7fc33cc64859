"""Requests of the Kafka protocol that aiokafka's administrator lacks: SCRAM passwords, and ACLs listed, made and deleted."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1, DescribeAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from bdcan_local.access import Grant, Operation, Pattern, ResourceType

_SCRAM_SHA_512 = 2
_ITERATIONS = 8192
_ANY = 1
_ALLOW = 3
_EVERYWHERE = "*"


class _AlterScramResponse(Response):
    API_KEY = 51  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    API_VERSION = 0  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterScramStruct(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = _AlterScramResponse
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class UpsertScramUsers(Request[_AlterScramStruct]):
    """Sets the passwords of users, making those that do not exist. The password itself is never sent."""

    API_KEY = 51

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords

    def build(self, request_struct_class: type[_AlterScramStruct]) -> _AlterScramStruct:
        """The request on the wire."""
        upsertions: list[tuple[Any, ...]] = []
        for user, password in self._passwords.items():
            salt = secrets.token_bytes(32)
            salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
            upsertions.append((user, _SCRAM_SHA_512, _ITERATIONS, salt, salted, {}))
        return request_struct_class([], upsertions, {})


class CreateGrants(Request[CreateAclsRequest_v1]):
    """Adds ACLs; those that exist already stay as they are."""

    API_KEY = 30

    def __init__(self, grants: Sequence[Grant]) -> None:
        self._grants = grants

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        """The request on the wire."""
        return request_struct_class([_entry(grant) for grant in self._grants])


class ListGrants(Request[DescribeAclsRequest_v1]):
    """Asks for all ACLs; `found_grants` reads the answer."""

    API_KEY = 29

    def build(self, request_struct_class: type[DescribeAclsRequest_v1]) -> DescribeAclsRequest_v1:
        """The request on the wire."""
        return request_struct_class(_ANY, None, _ANY, None, None, _ANY, _ANY)


def found_grants(response: Any) -> list[Grant]:
    """The ACLs of an answer that a catalogue could have asked for; whatever else somebody has set is none of them."""
    found = []
    for resource, name, pattern, entries in response.resources:
        for principal, host, operation, permission in entries:
            if (host, permission) != (_EVERYWHERE, _ALLOW) or not principal.startswith("User:"):
                continue
            if operation in set(Operation) and resource in set(ResourceType) and pattern in set(Pattern):
                user = principal.removeprefix("User:")
                found.append(
                    Grant(user, ResourceType(resource), name, Pattern(pattern), Operation(operation))
                )
    return found


class DeleteGrants(Request[DeleteAclsRequest_v1]):
    """Takes exactly these ACLs away."""

    API_KEY = 31

    def __init__(self, grants: Sequence[Grant]) -> None:
        self._grants = grants

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        """The request on the wire."""
        return request_struct_class([_entry(grant) for grant in self._grants])


def _entry(grant: Grant) -> tuple[Any, ...]:
    return (
        int(grant.resource),
        grant.name,
        int(grant.pattern),
        f"User:{grant.user}",
        _EVERYWHERE,
        int(grant.operation),
        _ALLOW,
    )
