"""What tests of Video Synopsis Prompting share: conditionings of several key prompts, and a text encoder."""

from families import conditioning, tiny_networks

from pack.py.core.frame_text import KeyMark
from pack.py.host.key_texts import KEY

LENGTH = 7


def evenly(count):
    """Places of so many key prompts from the first to the last frame."""
    return lambda frames: (tuple(i * (frames - 1) / max(count - 1, 1) for i in range(count)), "")


def synopsis(tiny, seeds, lengths=None, latent=None, placement=None):
    """Conditioning of several key prompts; the same seed is the same text."""
    placement = placement or evenly(len(seeds))
    marked = []
    for index, seed in enumerate(seeds):
        tokens = lengths[index] if lengths else LENGTH
        [[text, options]] = conditioning(tiny, seed, tokens, latent)
        _, first = conditioning(tiny, 1, LENGTH, latent)[0]
        first = {k: v for k, v in first.items() if k != "attention_mask"}
        marked.append([text, {**options, **first, KEY: KeyMark(placement, index, len(seeds))}])
    return marked


class Clip:
    """A text encoder whose embedding of a text is seeded by its length."""

    def tokenize(self, text):
        return text

    def encode_from_tokens_scheduled(self, text):
        return conditioning(tiny_networks()["wan_t2v"], len(text))
