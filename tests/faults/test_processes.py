"""What only another process can try: being killed, a limit of file sizes, a limit of memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]

LIMITS = """
import resource, signal
import autoport, numpy, torch
from tests.faults.models import keras_model, torch_model
from tests.faults.unchanged import unchanged

model, module = keras_model(), torch_model()
match = autoport.match(model, module)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in (0, 100, 600, 5000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for to in ("torch", "tf"):
        with unchanged(model, module):
            try:
                match.assign(to=to)
            except autoport.errors.TransferError as error:
                print("refused", "kept in a temporary file" in str(error))
            else:
                raise SystemExit(f"assigned with {limit} bytes")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, resource.RLIM_INFINITY))
original = autoport.transfer.into_model.produce_slabs
autoport.transfer.into_model.produce_slabs = lambda plan, path, read: (numpy.ones(2**28), original(plan, path, read))[1]
with unchanged(model, module):
    try:
        match.assign()
    except MemoryError:
        print("no memory")
    else:
        raise SystemExit("assigned without memory")
"""

KILLED = """
import sys, time
from pathlib import Path
from autoport.base.whole_files import write_whole

def write(place):
    with place.open("wb") as file:
        while True:
            file.write(b"new" * 1000)
            file.flush()
            print("writing", flush=True)
            time.sleep(0.05)

write_whole(Path(sys.argv[1]), write, ".safetensors")
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )


def test_limits_of_files_and_of_memory_leave_everything_as_it_was() -> None:
    process = python(LIMITS)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0
    assert output.split("\n") == ["refused True"] * 8 + ["no memory", ""]


def test_a_writer_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"old")
    process = python(KILLED, str(path))
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.read_bytes() == b"old"
