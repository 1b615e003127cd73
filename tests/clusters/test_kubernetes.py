"""The recipe for Kubernetes: its objects against the schema, and its containers' commands as processes here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

VERSION = "1.30"  # of Kubernetes; the page names it


@pytest.fixture
def objects(recipe):
    return list(yaml.safe_load_all(recipe("k2c.yml")))


def test_every_object_is_what_the_schema_allows(objects):
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for each in objects:
        kubernetes_validate.validate(each, VERSION, strict=True)
    broken = yaml.safe_load(yaml.safe_dump(objects[-1]).replace("restartPolicy", "restartPolice"))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


def test_the_objects_name_one_another(objects):
    named = {(each["kind"], each["metadata"]["name"]): each["spec"] for each in objects}
    scheduler = named["Deployment", "k2c-scheduler"]["template"]["metadata"]["labels"]
    assert named["Service", "k2c-scheduler"]["selector"].items() <= scheduler.items()
    pods = [each["spec"]["template"] for each in objects if "template" in each["spec"]]
    chosen = named["NetworkPolicy", "k2c"]["podSelector"]["matchLabels"]
    assert len(pods) == 3
    assert all(chosen.items() <= pod["metadata"]["labels"].items() for pod in pods)
    (volume,) = pods[-1]["spec"]["volumes"]
    assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in named


def test_its_commands_run_a_batch(objects, tiny_course, tmp_path, free_port):
    sweep = {"lecture": "00", "sweep": {"grid": {"steps": [1, 2, 3]}}}
    (tmp_path / "trial.yml").write_text(json.dumps(sweep))
    here = {
        "k2c-scheduler:8786": f"127.0.0.1:{free_port}",
        "8786": str(free_port),
        "course/batches/fundus_data_quality.yml": "trial.yml",
        "/runs/quality": "out",
    }
    containers = [
        each["spec"]["template"]["spec"]["containers"][0] for each in objects if "template" in each["spec"]
    ]
    scheduler, worker, batch = (
        [*container["command"], *container.get("args", ())] for container in containers
    )
    for command in (scheduler, worker, batch):
        command[0] = str(Path(sys.executable).with_name(command[0]))
        for there, word in here.items():
            command[:] = [text.replace(there, word) for text in command]
    scheduler += ["--host", "127.0.0.1"]  # not for the network of the machine that runs tests
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(scheduler, cwd=tmp_path, stdout=log, stderr=log) as first,
        subprocess.Popen(worker, cwd=tmp_path, stdout=log, stderr=log) as second,
    ):
        try:
            done = subprocess.run(batch, cwd=tmp_path, text=True, capture_output=True, timeout=200)
        finally:
            second.terminate()
            first.terminate()
    assert "3 runs: 3 ok." in done.stdout, done.stderr
