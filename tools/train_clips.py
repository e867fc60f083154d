"""The training clips of the demo network: rendered, encoded, and replaced bit by bit while the training runs."""

from random import Random

import torch
from torch import Tensor

from tools import inside_host  # noqa: F401  isort: skip  (makes `pack` importable)

from pack.py.demo import captions, codec, vocabulary, world

DROPPED_PROMPTS = 0.12  # shown without their caption, for classifier-free guidance
FLIPPED_WORDS = {"left": "right", "right": "left"}
AT_ONCE = 64  # clips rendered together


class Pool:
    """Latents and captions of rendered clips; a few are replaced at every batch, and half of each batch is mirrored."""

    def __init__(self, size: int, fresh: int, two_things: float, seed: int, device: torch.device):
        self.fresh, self.two_things, self.random, self.device = fresh, two_things, Random(seed), device
        self.codec = codec.LinearCodec().to(device)
        self.words, self.places = vocabulary.word_codes(), vocabulary.position_codes()
        self.mirror = torch.tensor([(-1.0) ** component[3] for component in codec.COMPONENTS], device=device).view(-1, 1, 1, 1)
        latents, self.captions = self._render(size)
        self.latents = torch.stack(latents)
        self.oldest = 0

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Latents [B, 16, 9, 8, 8] and text [B, 16, 96], after some clips were replaced."""
        self._replace()
        chosen = [self.random.randrange(len(self.captions)) for _ in range(size)]
        latents = self.latents[torch.tensor(chosen, device=self.device)].float()
        latents[::2] = latents[::2].flip(-1) * self.mirror
        words = [self.captions[i] for i in chosen]
        words[::2] = [" ".join(FLIPPED_WORDS.get(word, word) for word in caption.split()) for caption in words[::2]]
        words = ["" if self.random.random() < DROPPED_PROMPTS else caption for caption in words]
        return latents, torch.stack([self._encoded(caption) for caption in words]).to(self.device)

    def _encoded(self, caption: str) -> Tensor:
        ids = [vocabulary.WORD_IDS[word] for word in vocabulary.split_words(caption)]
        codes = self.words[ids] + self.places[: len(ids)]
        return torch.nn.functional.pad(codes, (0, 0, 0, vocabulary.LENGTH - len(ids)))

    def _replace(self) -> None:
        latents, words = self._render(self.fresh)
        for latent, caption in zip(latents, words, strict=True):
            self.latents[self.oldest], self.captions[self.oldest] = latent, caption
            self.oldest = (self.oldest + 1) % len(self.captions)

    def _render(self, count: int) -> tuple[list[Tensor], list[str]]:
        clips = [world.random_clip(self.random, 1 + (self.random.random() < self.two_things)) for _ in range(count)]
        parts = [clips[i : i + AT_ONCE] for i in range(0, count, AT_ONCE)]
        latents = [self.codec.encode(world.render(part, self.device) * 2 - 1).half() for part in parts]
        return [latent for part in latents for latent in part], [captions.caption(clip, self.random) for clip in clips]
