"""A headless ComfyUI with this pack and nothing else, up while a `with` block runs. Runs in the host's own Python."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import ROOT, child
from tools.client import Client
from tools.errors import ChoreError

FOLDERS = ("models", "custom_nodes", "input", "output", "temp", "user")
FAILURE = re.compile(r"Traceback|\[ERROR\]|Cannot import |while calling comfy_entrypoint|error: ")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
START_LIMIT = 300.0  # seconds; a cold disk and a virus scanner make the first import of PyTorch slow


@dataclass
class Server:
    """`base` is its folder for models, inputs and outputs; port 0 means any free one."""

    base: Path
    cpu: bool
    port: int = 0
    process: subprocess.Popen = field(init=False, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.base / "server.log"

    def __enter__(self) -> "Server":
        for name in FOLDERS:
            (self.base / name).mkdir(parents=True, exist_ok=True)
        self.port = free_port(self.port)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.base, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **own_group()
            )
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def command(self) -> list[str]:
        """The folder above the checkout is searched for packs, so everything else in it is shut out by name."""
        paths = self.base / "extra_model_paths.yaml"
        paths.write_text(json.dumps({"pack": {"custom_nodes": str(ROOT.parent)}}, ensure_ascii=False), encoding="utf-8")
        options = ["--base-directory", str(self.base), "--extra-model-paths-config", str(paths), "--port", str(self.port)]
        options += ["--disable-all-custom-nodes", f"--whitelist-custom-nodes={ROOT.name}", "--disable-api-nodes"]
        options += ["--disable-auto-launch", "--dont-print-server", "--database-url", "sqlite:///:memory:"]
        options += ["--preview-method", "latent2rgb", *(["--cpu"] if self.cpu else [])]
        return child.leashed(Path(sys.executable), Path(os.environ["COMFYUI_PATH"]) / "main.py", *options)

    def wait_until_ready(self) -> None:
        """It answers only after it has loaded all packs."""
        limit = time.monotonic() + START_LIMIT
        while not self.answers():
            if self.process.poll() is not None:
                raise self.failed("ComfyUI to start", f"exit code {self.process.returncode}")
            if time.monotonic() > limit:
                raise self.failed(f"ComfyUI to answer within {START_LIMIT:.0f} s", "no answer")
            time.sleep(0.2)
        if not self.pack_nodes():
            raise self.failed("ComfyUI to load this pack", "none of its nodes")

    def answers(self) -> bool:
        try:
            Client(self.url).get("/features")
        except OSError:
            return False
        return True

    def pack_nodes(self) -> list[str]:
        """Ids of the nodes that this pack has registered."""
        known = Client(self.url).get("/object_info")
        return [name for name, info in known.items() if info["python_module"] == f"custom_nodes.{ROOT.name}"]

    def failed(self, expected: str, came: str) -> ChoreError:
        lines = telling_lines(self.log.read_text(encoding="utf-8", errors="replace"))
        return ChoreError(expected, came, "Its log says:\n" + "\n".join(lines))

    def stop(self) -> None:
        """Ends it and whatever it has started."""
        if self.process.poll() is not None:
            return
        end_group(self.process)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def own_group() -> dict[str, Any]:
    """A group of its own: Ctrl-C reaches only us, so we can cancel the prompt before we stop the server."""
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}


def end_group(process: subprocess.Popen) -> None:
    if os.name == "nt":
        process.terminate()  # the launcher of a virtual environment takes its Python along
    else:
        os.killpg(process.pid, signal.SIGTERM)


def free_port(wanted: int) -> int:
    """The wanted one, or any for 0. Asked beforehand: on a taken port somebody else would answer in our server's place."""
    try:
        with socket.create_server(("127.0.0.1", wanted)) as probe:
            return probe.getsockname()[1]
    except OSError as error:
        raise ChoreError(f"port {wanted} to be free", str(error), "Choose another, or none to get any free one.") from error


def has_gpu() -> bool:
    """NVIDIA or AMD, Intel, Apple."""
    import torch

    return any(device.is_available() for device in (torch.cuda, torch.xpu, torch.backends.mps))


def telling_lines(log: str, limit: int = 30) -> list[str]:
    """From the first to the last line that tells of a failure, else the last lines."""
    lines = COLOUR.sub("", log).splitlines()
    telling = [number for number, line in enumerate(lines) if FAILURE.search(line)]
    return lines[telling[0] : telling[-1] + 1][-limit:] if telling else lines[-limit:]
