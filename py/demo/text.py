"""The demo text encoder as a native `comfy.sd.CLIP`: a word code plus a position code for each word, no layers."""

import logging

import comfy.model_patcher
import comfy.sd
import comfy.supported_models_base
import torch
from comfy import sd1_clip
from torch import Tensor

from .vocabulary import LENGTH, PAD, VOCABULARY, WIDTH, WORD_IDS, WORD_WIDTH, position_codes, split_words, word_codes

log = logging.getLogger("temporal_attention")

NAME = "demo_words"
# Wan's umT5 hands the network zero vectors where the prompt has no words.
ZERO_PADDING = True


class WordTokenizer:
    """Words to ids in the form ComfyUI's tokenizers give: one list of 16 (id, weight) pairs, or (id, weight, word number)."""

    def __init__(self, embedding_directory: str | None = None, tokenizer_data: dict | None = None):
        """Both arguments are part of ComfyUI's tokenizer interface; a fixed vocabulary uses neither."""

    def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **options) -> list[list[tuple]]:
        """Parses "(word:1.3)" as every ComfyUI encoder does. Word number 0 marks padding. Warns of unknown and dropped words."""
        weighted = [
            (word, weight)
            for segment, weight in sd1_clip.token_weights(sd1_clip.escape_important(text), 1.0)
            for word in split_words(sd1_clip.unescape_important(segment))
        ]
        known = [(word, weight) for word, weight in weighted if word in WORD_IDS]
        _warn_unknown([word for word, _ in weighted if word not in WORD_IDS])
        _warn_dropped([word for word, _ in known[LENGTH:]])
        tokens = [(WORD_IDS[word], weight, number) for number, (word, weight) in enumerate(known[:LENGTH], start=1)]
        tokens += [(PAD, 1.0, 0)] * (LENGTH - len(tokens))
        return [tokens if return_word_ids else [token[:2] for token in tokens]]

    def untokenize(self, token_weight_pairs: list[tuple]) -> list[tuple]:
        """Each (id, weight, ...) with its word, "" for padding."""
        return [(pair, ("", *VOCABULARY)[pair[0]]) for pair in token_weight_pairs]

    def state_dict(self) -> dict:
        return {}


def _warn_unknown(words: list[str]) -> None:
    if words:
        log.warning(
            "The demo text encoder skipped unknown words: %s. It knows: %s.",
            ", ".join(dict.fromkeys(words)),
            ", ".join(VOCABULARY),
        )


def _warn_dropped(words: list[str]) -> None:
    if words:
        log.warning(
            "The demo text encoder reads %d words; the prompt has %d more, which were dropped: %s. Shorten the prompt.",
            LENGTH,
            len(words),
            ", ".join(words),
        )


class PromptTokenizer(sd1_clip.SD1Tokenizer):
    """Prompt -> {NAME: tokens}, by `WordTokenizer`."""

    def __init__(self, embedding_directory: str | None = None, tokenizer_data: dict | None = None):
        super().__init__(embedding_directory, tokenizer_data or {}, tokenizer=WordTokenizer, name=NAME)


class WordCodes(torch.nn.Module):
    """The place of the transformer in `sd1_clip.SDClipModel`: adds the position codes, and has no layers to choose from."""

    num_layers = 0

    def __init__(self, config: dict, dtype: torch.dtype | None, device: torch.device | None, operations):
        super().__init__()
        self.words = operations.Embedding(WORD_WIDTH, WIDTH, dtype=dtype, device=device)
        self.positions = operations.Embedding(LENGTH, WIDTH, dtype=dtype, device=device)

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.words

    def forward(self, tokens: None, attention_mask: Tensor | None, embeds: Tensor, **options) -> tuple[Tensor, None]:
        """Word codes `embeds` [B, L, 96] -> (the same with positions added, no intermediate layer)."""
        places = torch.arange(embeds.shape[1], device=embeds.device)
        return embeds + self.positions(places, out_dtype=embeds.dtype), None


class WordEncoder(sd1_clip.SDClipModel):
    """Tokens [B, 16] -> word and position codes [B, 16, 96]; zeros at the padding."""

    def __init__(self, device="cpu", dtype: torch.dtype | None = None, model_options: dict | None = None):
        super().__init__(
            device=device,
            max_length=LENGTH,
            textmodel_json_config={},
            dtype=dtype,
            model_class=WordCodes,
            special_tokens={"pad": PAD},
            zero_out_masked=ZERO_PADDING,
            model_options=model_options or {},
        )


class PromptEncoder(sd1_clip.SD1ClipModel):
    """{NAME: tokens} -> what `WordEncoder` makes of them, as ComfyUI's CLIP expects it."""

    def __init__(self, device="cpu", dtype: torch.dtype | None = None, model_options: dict | None = None):
        super().__init__(device=device, dtype=dtype, model_options=model_options or {}, clip_model=WordEncoder, name=NAME)


def load_clip(disable_dynamic: bool = False) -> comfy.sd.CLIP:
    """The demo text encoder: prompts -> conditioning [1, 16, 96] float32, no pooled output (as Wan's)."""
    codes = {"words.weight": word_codes(), "positions.weight": position_codes()}
    target = comfy.supported_models_base.ClipTarget(PromptTokenizer, PromptEncoder)
    parameters = sum(code.numel() for code in codes.values())
    clip = comfy.sd.CLIP(target, parameters=parameters, state_dict=[codes], disable_dynamic=disable_dynamic)
    clip.patcher.cached_patcher_init = (_reload_patcher, ())
    return clip


def _reload_patcher(disable_dynamic: bool = False) -> comfy.model_patcher.ModelPatcher:
    """What ComfyUI calls when it needs a second copy of the encoder, held whole in memory."""
    return load_clip(disable_dynamic).patcher
