"""What the stack's files promise: held tightly, health-checked, and of metrics only those that there are."""

import configparser
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from streamer.cli.base import cli
from streamer.config import Config
from tests.conftest import go_without

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((DOCKER / "kubernetes.yaml").read_text()))
RULES = [
    rule for group in yaml.safe_load((DOCKER / "prometheus/rules.yml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD = json.loads((DOCKER / "grafana/dashboards/tidegate.json").read_text())
METRICS = (DOCKER.parent / "docs" / "metrics.md").read_text()
EXPLAINED = set(re.findall(r"^\| `(tidegate_\w+)`", METRICS, re.MULTILINE))
NAME = re.compile(r"tidegate_\w+")
OURS = ("ingest", "page", "worker")
WORKLOADS = [one for one in MANIFESTS if one["kind"] in ("Deployment", "StatefulSet")]


def known(name: str) -> bool:
    """Whether a metric is explained; of a histogram it is what its samples begin with."""
    return name in EXPLAINED or re.sub(r"_(bucket|count|sum)$", "", name) in EXPLAINED


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_knows_its_metrics_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert [name for name in NAME.findall(rule["expr"]) if not known(name)] == []
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["do"]


def test_rules_fire_when_they_should_and_are_silent_when_all_is_well() -> None:
    promtool = shutil.which("promtool") or go_without("promtool", "it is in Debian's package prometheus")
    asked = [promtool, "test", "rules", str(Path(__file__).with_name("rules_test.yaml"))]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_what_can_go_wrong_with_tidegate_has_a_rule() -> None:
    watched = {name for rule in RULES for name in NAME.findall(rule["expr"])}
    assert watched >= {
        "tidegate_lag_records",
        "tidegate_rejected_total",
        "tidegate_events_total",
        "tidegate_checkpoint_seconds_count",
        "tidegate_notifications_total",
        "tidegate_ready",
    }


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_a_panel_shows_metrics_that_there_are(panel: dict[str, Any]) -> None:
    names = [name for target in panel["targets"] for name in NAME.findall(target["expr"])]
    assert names
    assert [name for name in names if not known(name)] == []
    assert panel["datasource"]["uid"] == "prometheus"


def test_panels_do_not_lie_upon_each_other() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_prometheus_asks_each_of_our_processes_where_it_listens() -> None:
    (job,) = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {one["names"][0]: one["port"] for one in job["dns_sd_configs"]}
    defaults = Config()
    assert asked == {"worker": defaults.web.port, "ingest": defaults.ingest.port, "page": defaults.page.port}


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_is_held_tightly_and_reached_from_this_machine_only(name: str) -> None:
    service = COMPOSE["services"][name]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name != "kafka":  # its image writes its settings at the start
        assert service["read_only"] is True
    if name not in OURS:  # ours is in the Dockerfile, as is the user
        assert service["healthcheck"]["test"]
        assert name == "kafka" or not str(service["user"]).startswith("0")


def test_the_stack_is_whole_and_what_it_mounts_is_there() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"kafka", "ingest", "page", "worker", "prometheus", "grafana"}
    assert services["worker"]["deploy"]["replicas"] == 2
    assert [services[name]["command"] for name in OURS] == [[name] for name in OURS]
    mounts = [mount.split(":")[0] for one in services.values() for mount in one.get("volumes", ())]
    assert all((DOCKER / mount).exists() for mount in mounts if mount.startswith("."))
    assert {mount for mount in mounts if not mount.startswith(".")} == set(COMPOSE["volumes"])


def test_the_settings_of_the_stack_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPOSE["x-tidegate"]["environment"].items():
        if value is not None:
            monkeypatch.setenv(name, value)
    found = CliRunner().invoke(cli, ["check-config", str(DOCKER.parent / "examples" / "tidegate.toml")])
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_kubernetes_accepts_the_manifest(manifest: dict[str, Any]) -> None:
    try:
        import kubernetes_validate
    except ImportError as why:
        go_without("Kubernetes' schemas", f"pip install kubernetes-validate ({why})")
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda one: one["metadata"]["name"])
def test_a_workload_is_probed_held_tightly_and_does_what_it_is_named_for(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["args"][0] in cli.list_commands(click.Context(cli))
    assert container["resources"]["limits"]["memory"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert labels == workload["spec"]["selector"]["matchLabels"]
    if workload["spec"]["replicas"] > 1:
        budgets = [one["spec"]["selector"]["matchLabels"] for one in MANIFESTS if one["kind"] == "PodDisruptionBudget"]
        assert labels in budgets


def test_workers_are_scaled_by_a_metric_that_there_is_and_to_no_more_than_there_are_partitions() -> None:
    (scaler,) = (one["spec"] for one in MANIFESTS if one["kind"] == "HorizontalPodAutoscaler")
    (metric,) = scaler["metrics"]
    assert known(metric["pods"]["metric"]["name"])
    assert scaler["maxReplicas"] == _cluster_config().kafka.partitions


def test_the_configuration_for_the_cluster_is_good() -> None:
    config = _cluster_config()
    assert config.page.people
    assert not config.page.open


def _cluster_config() -> Config:
    (found,) = (one for one in MANIFESTS if one["kind"] == "ConfigMap")
    return Config.model_validate(tomllib.loads(found["data"]["tidegate.toml"]))


def test_the_unit_runs_our_commands_and_systemd_accepts_it(tmp_path: Path) -> None:
    unit = DOCKER / "tidegate@.service"
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(unit.read_text())
    service = parser["Service"]
    assert service["ExecStart"].split()[1:3] == ["%i", "--config"]
    assert (service["DynamicUser"], service["ProtectSystem"]) == ("yes", "strict")
    if shutil.which("systemd-analyze"):
        # What it starts is not on this machine; all else systemd has to know.
        copy = tmp_path / "tidegate@worker.service"
        copy.write_text(unit.read_text().replace("/opt/tidegate/bin/tidegate", "/bin/true"))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
        )
        assert "tidegate" not in done.stderr
