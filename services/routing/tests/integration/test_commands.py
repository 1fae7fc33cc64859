"""The command line: as an operator and a runner use it."""

from __future__ import annotations

import json
import os

import pytest

from services.routing.tests.integration import processes


@pytest.fixture
async def env(postgres_server, tmp_path):
    keys = tmp_path / "jwks.json"
    keys.write_text('{"keys": []}')
    return {
        "PATH": os.environ["PATH"],
        "BDCAN_DATABASE_URL": await postgres_server.database("routing"),
        "BDCAN_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "BDCAN_KAFKA_USERNAME": "bdcan-routing",
        "BDCAN_KAFKA_PASSWORD": "secret",
        "BDCAN_JWKS": str(keys),
        "BDCAN_OIDC_ISSUER": "https://issuer.example.org",
    }


async def test_second_migration_seeds_nothing(env):
    assert "10 hub(s) and postcode table(s) seeded" in (await processes.run(env, "migrate"))[1]
    code, said = await processes.run(env, "migrate")
    assert (code, "0 hub(s) and postcode table(s) seeded" in said) == (0, True)


async def test_import_says_what_the_release_holds(env, code_point):
    await processes.run(env, "migrate")
    code, said = await processes.run(env, "import-gazetteer", str(code_point))
    assert code == 0
    assert "16081 postcodes, 3060 of them in the borough, wards of 2022" in said


async def test_import_of_a_missing_folder_says_why_it_failed(env, tmp_path):
    await processes.run(env, "migrate")
    code, said = await processes.run(env, "import-gazetteer", str(tmp_path / "nowhere"))
    assert code == 1
    assert "no CSV files" in said
    assert "Traceback" not in said


async def test_migration_seeds_the_borough_s_own_hubs(env, tmp_path):
    (tmp_path / "hubs.toml").write_text('[[hub]]\nid = "only"\nname = "Only"\nwards = ["E05014053"]\n')
    _, said = await processes.run(env | {"BDCAN_HUBS_FILE": str(tmp_path / "hubs.toml")}, "migrate")
    assert "2 hub(s) and postcode table(s) seeded" in said


async def test_migration_with_a_wrong_file_of_hubs_says_what_is_wrong(env, tmp_path):
    (tmp_path / "hubs.toml").write_text('[[hub]]\nid = "only"\nname = "Only"\nwards = ["E05000001"]\n')
    code, said = await processes.run(env | {"BDCAN_HUBS_FILE": str(tmp_path / "hubs.toml")}, "migrate")
    assert code == 2
    assert "only: the borough has no ward E05000001" in said


@pytest.mark.parametrize("verb", ["pulse", "worker"])
async def test_start_names_each_missing_setting(env, verb):
    wrong = {k: v for k, v in env.items() if k != "BDCAN_KAFKA_USERNAME"} | {"BDCAN_PULSE_FACTOR": "1"}
    code, said = await processes.run(wrong, verb)
    assert code == 2
    assert "BDCAN_KAFKA_USERNAME: Field required" in said
    assert "BDCAN_PULSE_FACTOR" in said
    assert "Traceback" not in said


async def test_openapi_has_every_path_that_others_use(env):
    _, said = await processes.run(env, "openapi")
    paths = json.loads(said[said.index("{\n") :])["paths"]
    assert {
        "/v1/referrals/{referral_id}/assignment",
        "/v1/referrals/{referral_id}/reassignment",
        "/v1/triage",
        "/v1/triage/{referral_id}/decision",
        "/v1/hubs",
        "/v1/hubs/{hub_id}",
        "/v1/hubs/{hub_id}/pause",
        "/v1/hubs/{hub_id}/resume",
        "/v1/gazetteer",
    } <= set(paths)
