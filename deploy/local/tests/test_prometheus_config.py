"""`bdcan prometheus-config` labels every process that has metrics as compose does."""

import json
import re
from pathlib import Path

import pytest
import yaml

from bdcan_local.cli import main
from bdcan_local.errors import NotReadyError
from bdcan_local.processes import SERVICES
from bdcan_local.prometheus_config import config
from bdcan_local.root import Root, write_json

COMPOSE = Path(__file__).parents[3] / "deploy" / "prometheus" / "prometheus.yml"


def test_each_process_is_watched_under_the_name_that_compose_gives_it(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.lock()
    urls = {
        service: {"api": f"http://127.0.0.1:{8100 + n}", "ops": f"http://127.0.0.1:{9100 + n}"}
        for n, service in enumerate(SERVICES)
    }
    write_json(root.endpoints, {"services": urls, "pulse": {"ops": "http://127.0.0.1:9200"}})
    [job] = json.loads(config(root))["scrape_configs"]
    found = {one["labels"]["process"]: one for one in job["static_configs"]}
    scraped = yaml.safe_load(COMPOSE.read_text("utf-8"))["scrape_configs"]
    [other] = [one for one in scraped if one["job_name"] == "bdcan"]
    named = [target.partition(":")[0] for target in other["static_configs"][0]["targets"]]
    assert job["job_name"] == other["job_name"]
    assert sorted(found) == sorted(named)
    assert found["intake-worker"]["targets"] == [urls["intake"]["ops"].removeprefix("http://")]
    assert all(re.fullmatch(rf"{one['labels']['service']}-\w+", name) for name, one in found.items())


def test_process_that_reconciles_is_watched_apart_from_the_services(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.lock()
    write_json(root.endpoints, {"services": {}, "pulse": {"ops": "http://127.0.0.1:9200"}})
    write_json(root.state, {"processes": [{"name": "reconcile", "url": "http://127.0.0.1:9300"}]})
    _, job = json.loads(config(root))["scrape_configs"]
    assert job == {"job_name": "reconcile", "static_configs": [{"targets": ["127.0.0.1:9300"]}]}


def test_exporters_of_compose_are_left_out_with_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Root(tmp_path)
    root.lock()
    write_json(root.endpoints, {"services": {}, "pulse": {"ops": "http://127.0.0.1:9200"}})
    assert main(["prometheus-config", "--root", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert {job["job_name"] for job in json.loads(said.out)["scrape_configs"]} == {"bdcan"}
    assert "exporters" in said.err


def test_nothing_that_runs_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="nothing runs"):
        config(Root(tmp_path))
