"""What tests of TempoControl share: phrases in a random text, a schedule, runs with them, and what those leave."""

from families import conditioning, sample

from pack.py.core.store import RUNS
from pack.py.host.attach import attach
from pack.py.prompts.schedule import parse_schedule
from pack.py.prompts.timed_words import TimedWords
from pack.py.techniques.tempo_control import TempoControl

SCHEDULE = "cat: 0%=0, 50%=1"
RATE = 0.01


def words(tiny, schedule=SCHEDULE, positions=((1, 2),), compression=4, latent=None):
    """The phrases at these rows of the text that `families.sample` gives."""
    tempo = parse_schedule(schedule).tempo(16.0, "hold")
    return TimedWords(tempo, positions, conditioning(tiny, 1, latent=latent)[0][0], compression)


def control(tiny, model, schedule=SCHEDULE, positions=((1, 2),), latent=None, **settings):
    """The MODEL with TempoControl that acts on the first step alone, unless said."""
    from pack.py.core.intervention import Window

    settings = {"lr": RATE, "iterations": 3, "stop_ratio": None, "stop_correlation": 1.0, "window": Window(0.0, 0.01)} | settings
    return attach(model, TempoControl(words=words(tiny, schedule, positions, latent=latent), **settings))


def longer(tiny, frames=5):
    """The latent shape of a tiny network with more frames."""
    return (*tiny.latent[:2], frames, *tiny.latent[3:])


def run(tiny, model, frames=5, **options):
    """A run long enough to be timed."""
    return sample(tiny, model, **{"steps": 2, "cfg": 1.0, "latent": longer(tiny, frames)} | options)


def iterations(latent, recorder):
    """What the recorder has of each iteration in the run that returned this latent."""
    return RUNS.find(latent, recorder).trace.iterations
