"""`dev.py evidence`: runs the named experiments on the demo model, or all; pages and pictures go to docs/evidence."""

import argparse
import importlib
import pkgutil

import torch

from tools import evidence
from tools.evidence import lab

HELPERS = ("__main__", "lab", "seen", "tempo_cases", "tempo_phrases")


def main() -> None:
    names = [info.name for info in pkgutil.iter_modules(evidence.__path__) if info.name not in HELPERS]
    arguments = argparse.ArgumentParser("dev.py evidence --", description=__doc__)
    arguments.add_argument("names", nargs="*", metavar="NAME[:PART]", help=f"out of {', '.join(names)}")
    chosen = arguments.parse_args().names or names
    with torch.inference_mode():
        shared = lab.Lab()
        for name in chosen:
            module, _, part = name.partition(":")
            importlib.import_module(f"tools.evidence.{module}").run(shared, *([part] if part else []))


if __name__ == "__main__":
    main()
