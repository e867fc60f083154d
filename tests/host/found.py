"""What contract tests run over: every technique and every tiny network found on disk."""

import importlib
import pkgutil
from pathlib import Path

from pack.py.core.intervention import Intervention, Observer

TECHNIQUES_FOLDER = Path(__file__).resolve().parents[2] / "py" / "techniques"

STRONG = {"layer_weight": "flat", "tau": 2.0, "channels": (0, 3), "entropy_rows": 64}


def techniques() -> list[type[Intervention]]:
    """Every intervention defined in a file of py/techniques."""
    found = []
    for info in pkgutil.iter_modules([str(TECHNIQUES_FOLDER)]):
        module = importlib.import_module(f"pack.py.techniques.{info.name}")
        found += [
            member
            for member in vars(module).values()
            if isinstance(member, type) and issubclass(member, Intervention) and member.__module__ == module.__name__
        ]
    return found


def strong(technique: type[Intervention], **settings) -> Intervention:
    """The technique with its defaults and whatever makes it act on every block."""
    acting = {name: value for name, value in STRONG.items() if name in technique.__dataclass_fields__}
    return technique(**acting, **settings)


def observers() -> list[type[Observer]]:
    """The techniques that only look, at any run; those that want phrases have tests of their own."""
    return [technique for technique in techniques() if of_any_run(technique) and issubclass(technique, Observer)]


def of_any_run(technique: type[Intervention]) -> bool:
    """Does it concern runs whatever their text is?"""
    return technique.concerns is Intervention.concerns


def acting() -> list[type[Intervention]]:
    """The techniques that change the result of any run; those that want key prompts, or pairs, have tests of their own."""
    return [technique for technique in techniques() if of_any_run(technique) and not issubclass(technique, Observer)]
