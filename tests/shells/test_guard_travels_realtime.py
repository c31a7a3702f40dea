"""A guard of a script that cloudpickle has copied has worker processes where it arrives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.realtime

SCRIPT = """
import json, pickle, sys
import cloudpickle
from timeouts import ExecutionTimeout, ProcessWorkers, guard

loaded = {}

def load():
    loaded["factor"] = 3

@guard(ExecutionTimeout(30), slots=1, workers=ProcessWorkers(setup=load))
def scale(x):
    return loaded["factor"] * x

class Model:
    def __init__(self, offset):
        self.offset = offset

    @guard(ExecutionTimeout(30), slots=1, workers="process")
    def shifted(self, other):
        return Model(self.offset + other.offset)

if __name__ == "__main__":
    sys.stdout.buffer.write(cloudpickle.dumps((scale, Model(1))))
"""

ELSEWHERE = """
import json, pickle, sys

if __name__ == "__main__":
    scale, model = pickle.load(sys.stdin.buffer)
    shifted = model.shifted(type(model)(4))
    print(json.dumps([scale(2), shifted.offset, type(shifted) is type(model)]))
    scale.close()
    model.shifted.close()
"""


def test_guards_of_a_script_run_in_worker_processes_elsewhere(tmp_path: Path) -> None:
    """Where `__main__` is another: the handler, its `setup`, and the class of its `self` go along."""
    there, here = tmp_path / "script.py", tmp_path / "elsewhere.py"
    there.write_text(SCRIPT)
    here.write_text(ELSEWHERE)
    sent = subprocess.run([sys.executable, there], check=True, stdout=subprocess.PIPE).stdout
    done = subprocess.run([sys.executable, here], input=sent, check=True, stdout=subprocess.PIPE)
    assert json.loads(done.stdout) == [6, 5, True]
