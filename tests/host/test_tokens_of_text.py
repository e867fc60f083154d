"""Phrases among the rows of a context, with the host's own tokenizers and encoders (shrunk, random weights), and the demo's."""

import io

import comfy.sd
import pytest
import safetensors.torch
import sentencepiece
import torch
from comfy import sd1_clip
from comfy.supported_models_base import ClipTarget
from comfy.text_encoders import (
    cogvideo,
    cosmos,
    genmo,
    hunyuan_image,
    hunyuan_video,
    kandinsky5,
    lt,
    qwen_vl,
    wan,
)

from pack.py.core.errors import TemporalAttentionError
from pack.py.demo.text import load_clip
from pack.py.host.tokens_of_text import encode_text

PROMPT = "a (black cat:1.2) sits, and Extraordinarily fluffy cats watch; the cat's tail"

T5 = {"d_model": 64, "d_ff": 64, "d_kv": 32, "num_heads": 2, "num_layers": 1}
LLAMA = {"hidden_size": 128, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 1, "num_key_value_heads": 1}
CLIP_L = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "projection_dim": 64}
CONFIGS = {
    "t5xxl": T5, "umt5xxl": T5, "llama": LLAMA, "qwen25_7b": LLAMA, "qwen3vl_32b": LLAMA, "clip_l": CLIP_L, "clip_g": CLIP_L,
}  # fmt: skip


MIXES = ("o_proj", "out_proj", "SelfAttention.o", "out_proj.bias")  # the last layer of an attention


def encoder(tokenizer, model, **tokenizer_data):
    """A CLIP object as the host makes it, with small random weights, whose tokens do not see each other: a row of its context
    changes only with its own token."""
    options = {f"{name}_model_config": config for name, config in CONFIGS.items()}
    clip = comfy.sd.CLIP(ClipTarget(tokenizer, model), model_options=options, tokenizer_data=tokenizer_data, disable_dynamic=True)
    torch.manual_seed(0)
    for name, parameter in clip.cond_stage_model.named_parameters():
        torch.nn.init.normal_(parameter, std=0.0 if name.removesuffix(".weight").endswith(MIXES) else 0.3)
    return clip


def sentencepiece_model():
    """A small vocabulary learned from the prompt, in the form in which Wan's text encoder files carry theirs."""
    model, text = io.BytesIO(), PROMPT.replace("(", "").replace(":1.2)", "")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text] * 20), model_writer=model, vocab_size=80, byte_fallback=False, hard_vocab_limit=False,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, user_defined_symbols=["▁the", "▁black", "▁white"],
    )  # fmt: skip
    return torch.frombuffer(bytearray(model.getvalue()), dtype=torch.uint8)


def small_qwen(monkeypatch):
    """Qwen's image tower alone has 700 million weights; text does not pass through it."""
    monkeypatch.setattr(qwen_vl, "Qwen2VLVisionTransformer", lambda **_: torch.nn.Identity())


FAMILIES = {
    "Wan": lambda: encoder(wan.WanT5Tokenizer, wan.te(), spiece_model=sentencepiece_model()),
    "LTX-Video": lambda: encoder(lt.LTXVT5Tokenizer, lt.ltxv_te()),
    "Mochi": lambda: encoder(genmo.MochiT5Tokenizer, genmo.mochi_te()),
    "CogVideoX": lambda: encoder(cogvideo.CogVideoXTokenizer, cogvideo.cogvideo_te()),
    "Cosmos": lambda: encoder(cosmos.CosmosT5Tokenizer, cosmos.te()),
    "HunyuanVideo": lambda: encoder(hunyuan_video.HunyuanVideoTokenizer, hunyuan_video.hunyuan_video_clip()),
    "HunyuanVideo 1.5": lambda: encoder(hunyuan_video.HunyuanVideo15Tokenizer, hunyuan_image.te(byt5=False)),
    "Kandinsky 5": lambda: encoder(kandinsky5.Kandinsky5Tokenizer, kandinsky5.te()),
}


@pytest.fixture(scope="module", params=FAMILIES)
def clip(request):
    """The text encoder of a family. Qwen's image tower alone has 700 million weights; text does not pass through it."""
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(qwen_vl, "Qwen2VLVisionTransformer", lambda **_: torch.nn.Identity())
        return FAMILIES[request.param]()


def changed(clip, one, other):
    """The rows in which the contexts of two prompts differ."""
    first, second = (clip.encode_from_tokens(clip.tokenize(prompt)) for prompt in (one, other))
    return tuple((first != second).any(-1)[0].nonzero()[:, 0].tolist())


def test_the_rows_of_a_phrase_are_those_that_change_with_it(clip):
    found = encode_text(clip, PROMPT, ["black"])
    assert torch.equal(found.context, clip.encode_from_tokens(clip.tokenize(PROMPT)))
    assert found.positions["black"] == changed(clip, PROMPT, PROMPT.replace("black", "white"))


def test_weights_are_no_part_of_the_text(clip):
    if hasattr(clip.tokenizer, "qwen25_7b"):
        pytest.skip("Qwen reads weights as text")
    found = encode_text(clip, PROMPT, ["black cat"])
    assert found.positions["black cat"] == changed(clip, PROMPT, PROMPT.replace("1.2", "1.5"))


def test_every_place_and_no_longer_word(clip):
    """cat stands twice, and cats is another word."""
    cats = encode_text(clip, PROMPT, ["cat", "cats", "the cat"]).positions
    rows = set(cats["cat"])
    assert len(rows) in (2, 3) and not rows & set(cats["cats"]) and len(rows & set(cats["the cat"])) in (1, 2)


def test_words_of_a_template_do_not_count(clip):
    with pytest.raises(TemporalAttentionError, match=r"the phrase 'camera' in the prompt, but got a prompt with the tokens a"):
        encode_text(clip, PROMPT, ["camera"])
    with pytest.raises(TemporalAttentionError, match="got a prompt with"):
        encode_text(clip, PROMPT, ["assistant"])


def test_no_hook_is_left_behind(clip):
    with pytest.raises(TemporalAttentionError):
        encode_text(clip, PROMPT, ["dog"])
    assert not any(module._forward_hooks for module in clip.cond_stage_model.modules())


@pytest.fixture(scope="module")
def clip_l(tmp_path_factory):
    """A CLIP-L with three embeddings: two vectors, one vector, and one of another width."""
    folder = tmp_path_factory.mktemp("embeddings")
    for name, shape in {"two": (2, 64), "one": (1, 64), "wide": (1, 96)}.items():
        safetensors.torch.save_file({"emb": torch.randn(shape)}, folder / f"{name}.safetensors")
    with torch.inference_mode():
        clip = encoder(sd1_clip.SD1Tokenizer, sd1_clip.SD1ClipModel)
    clip.tokenizer.clip_l.embedding_directory, clip.tokenizer.clip_l.embedding_size = str(folder), 64
    return clip


def test_chunks_of_clip(clip_l):
    """77 rows a chunk, with a start and an end token each."""
    prompt = f"a black cat {'very ' * 80}and a black dog"
    found = encode_text(clip_l, prompt, ["black", "and a black"])
    assert found.context.shape[1] == 154 and found.positions["black"] == changed(clip_l, prompt, prompt.replace("black", "white"))
    assert found.positions["black"][0] == 2 and found.positions["black"][1] > 78


def test_a_phrase_across_two_chunks(clip_l):
    prompt = f"{'very ' * 74}black cat"
    assert encode_text(clip_l, prompt, ["black cat"]).positions["black cat"] == (75, 78)


def test_letters_of_several_tokens(clip_l):
    """Characters outside ASCII are bytes to CLIP, spread over several tokens."""
    prompt = "a crème brûlée and 一只猫跑"
    found = encode_text(clip_l, prompt, ["BRÛLÉE", "猫"]).positions
    assert set(found["BRÛLÉE"]) <= set(changed(clip_l, prompt, prompt.replace("brûlée", "sunset ")))
    assert (
        set(found["猫"]) == set(changed(clip_l, prompt, prompt.replace("猫", "狗"))) | set(found["猫"]) and len(found["猫"]) >= 2
    )


def test_embeddings(clip_l):
    prompt = "a (embedding:two:1.2) cat, embedding:one, embedding:two and embedding:none dog"
    found = encode_text(clip_l, prompt, ["cat", "embedding:two", "embedding:one", "dog"]).positions
    assert found == {"cat": (4,), "embedding:two": (2, 3, 8, 9), "embedding:one": (6,), "dog": (11,)}
    assert changed(clip_l, prompt, prompt.replace("cat", "fox")) == (4,)
    for missing in ("embedding:none", "two"):
        with pytest.raises(TemporalAttentionError, match="cat"):
            encode_text(clip_l, prompt, [missing])


def test_embeddings_of_another_width_are_refused(clip_l):
    with pytest.raises(TemporalAttentionError, match="64 numbers per token, but got one of 96"):
        encode_text(clip_l, "a embedding:wide cat", ["cat"])


def test_the_demo_text_encoder():
    clip = load_clip()
    found = encode_text(clip, "A glowing red circle moves (left:1.3) and a blue circle", ["circle", "red circle", "moves left"])
    assert found.context.shape == (1, 16, 96)
    assert found.positions == {"circle": (2, 8), "red circle": (1, 2), "moves left": (3, 4)}
    with pytest.raises(TemporalAttentionError, match=r"tokens a \| red \| circle"):
        encode_text(clip, "a red circle", ["green"])
    with pytest.raises(TemporalAttentionError, match="a prompt without words"):
        encode_text(clip, "", ["green"])


@pytest.fixture
def rewritten(monkeypatch):
    """A text encoder whose outer model changes its context by a function."""

    def make(change, family="LTX-Video"):
        clip = FAMILIES[family]()
        encode = clip.cond_stage_model.encode_token_weights
        monkeypatch.setattr(clip.cond_stage_model, "encode_token_weights", lambda tokens: (change(encode(tokens)[0]), None))
        return clip

    return make


def test_padding_on_the_left_that_is_cut_off_before_a_projection(rewritten):
    """As LTX-2 does: the rows are no longer those of the inner encoder, but padding is all that is missing."""
    clip = rewritten(lambda context: context[:, -23:, ::2])
    clip.tokenizer.clip_t5xxl.pad_left = True
    found = encode_text(clip, PROMPT, ["black"])
    assert found.context.shape[1] == 23 and found.positions["black"] == (2,)
    with pytest.raises(TemporalAttentionError, match="22 rows for 128 tokens of t5xxl"):
        encode_text(rewritten(lambda context: context[:, -22:, ::2]), PROMPT, ["black"])


def test_encoders_joined_into_one_context_are_refused(rewritten):
    with pytest.raises(TemporalAttentionError, match="256 rows for 128 tokens of t5xxl"):
        encode_text(rewritten(lambda context: torch.cat([context, context], 1)), PROMPT, ["black"])


def test_a_context_as_long_as_another_encoders_output_is_not_taken_for_it(rewritten):
    """HunyuanVideo also runs CLIP-L, 77 tokens, which is no part of its context."""
    prompt = f"a black cat{' 7 !' * 36}"
    found = encode_text(FAMILIES["HunyuanVideo"](), prompt, ["black"])
    assert found.context.shape[1] == 77 and found.positions["black"] == (1, 2)  # ab, lack: this tokenizer loses spaces
    with pytest.raises(TemporalAttentionError, match=r"77 rows for \d+ tokens of llama and 77 tokens of l\."):
        encode_text(rewritten(lambda context: context[..., ::2], "HunyuanVideo"), prompt, ["black"])
