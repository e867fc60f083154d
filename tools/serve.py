"""`dev.py serve`: a ComfyUI with this pack for a person to open, until Ctrl-C. Runs in the host's own Python."""

import sys

from tools import ROOT
from tools.errors import ChoreError
from tools.server import Server, has_gpu

BASE = ROOT / "output" / "serve"


def main(port: int) -> None:
    print("Starting ComfyUI ...", flush=True)
    with Server(BASE, cpu=not has_gpu(), port=port) as server:
        print(f"Open {server.url}\nModels, inputs and outputs: {BASE}\nCtrl-C stops it.", flush=True)
        server.process.wait()
        raise server.failed("ComfyUI to run until Ctrl-C", f"exit code {server.process.returncode}")


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except ChoreError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("Stopped.")
