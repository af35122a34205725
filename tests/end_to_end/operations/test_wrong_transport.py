"""An engine that is told the wrong transport ends with one sentence that says the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import running_engine

OTHER = {"ymq": "zmq", "zmq": "ymq"}


@pytest.mark.parametrize("cluster", ["ymq", pytest.param("zmq", marks=pytest.mark.long)], indirect=True)
def test_the_wrong_transport_is_one_sentence_and_exit_code_2(cluster: LocalCluster, log: Path) -> None:
    right = cluster.environment()["SCALER_NETWORK_BACKEND"]
    with running_engine(cluster, log, environ={"SCALER_NETWORK_BACKEND": OTHER[right]}) as engine:
        code = engine.process.wait(20)
    said = [line for line in engine.log.splitlines() if "SCALER_NETWORK_BACKEND" in line]
    assert code == 2
    assert len(said) == 1
    assert said[0].endswith(f"set SCALER_NETWORK_BACKEND={right}")
    assert "Traceback" not in engine.log
