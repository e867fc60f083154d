"""Real models for examples besides Wan 2.1 1.3B."""

from tools.examples.real import COMFY, HUB, SEED, Real, file
from tools.examples.recipe import Link

WAN_22 = f"{COMFY}/Wan_2.2_ComfyUI_Repackaged/resolve/main/split_files"
HUNYUAN = f"{COMFY}/HunyuanVideo_repackaged/resolve/main/split_files"
FLUX_TEXT = f"{HUB}/comfyanonymous/flux_text_encoders/resolve/main"
TILE = 256


class Wan22Small(Real):
    """Wan 2.2 5B, which makes its latent with its own VAE."""

    NAME = "Wan 2.2 5B"
    NETWORKS = (f"{WAN_22}/diffusion_models/wan2.2_ti2v_5B_fp16.safetensors",)
    VAE = f"{WAN_22}/vae/wan2.2_vae.safetensors"
    STEPS, CFG, FPS = 20, 5.0, 24.0
    SIZE = (1280, 704, 121)

    def empty(self) -> Link:
        width, height, length = self.SIZE
        return self.add("Wan22ImageToVideoLatent", "Empty latent", vae=self.vae, width=width, height=height, length=length)[0]


class Wan22Pair(Real):
    """Wan 2.2 14B: one network for the noisy half of the run, one for the rest."""

    NAME = "Wan 2.2 14B"
    NETWORKS = tuple(
        f"{WAN_22}/diffusion_models/wan2.2_t2v_{noise}_noise_14B_fp8_scaled.safetensors" for noise in ("high", "low")
    )
    VAE = f"{WAN_22}/vae/wan_2.1_vae.safetensors"
    SHIFT, STEPS, CFG, SAMPLER = 5.0, 20, 3.5, "euler"
    SIZE = (640, 640, 81)
    LAST = 10000  # to the end, as the sampler's own default says it
    ABOUT = (
        "**Two networks:** the techniques are on both. The high-noise one decides what moves, so most of their effect is there, "
        "and the trace is of that one: the nodes that read it take the latent of its own sampler.\n\n"
        "**Time:** two runs of 20 steps. ComfyUI's own template states about 536 s per run at this size on an RTX 4090D with "
        "24 GB: about 18 minutes, plus the cost of the techniques.\n\n"
        "**In 4 steps:** put *wan2.2_t2v_lightx2v_4steps_lora_v1.1_high_noise.safetensors* and *..._low_noise.safetensors* into "
        "*models/loras*, and a *Load LoRA* at strength 1 after each *Load Diffusion Model*. In all four samplers set *steps* to "
        "4, *cfg* to 1, and the split to step 2 (*end_at_step* of high noise, *start_at_step* of low noise). Set *step_weight* "
        "of STH to flat."
    )

    def sample(self, title: str, models: list[Link], positive: Link | None = None, sampler: str = "") -> Link:
        """Both networks in turn. The first one's latent is kept in `halfway`: traces of its network are found by it."""
        half, shared = self.STEPS // 2, {"noise_seed": SEED, "steps": self.STEPS, "cfg": self.CFG, "sampler_name": self.SAMPLER}
        shared |= {"scheduler": "simple", "positive": positive or self.positive, "negative": self.negative}
        self.halfway = self.add(
            "KSamplerAdvanced", f"{title}, high noise", model=models[0], latent_image=self.latent, add_noise="enable",
            start_at_step=0, end_at_step=half, return_with_leftover_noise="enable", **shared,
        )[0]  # fmt: skip
        return self.add(
            "KSamplerAdvanced", f"{title}, low noise", model=models[1], latent_image=self.halfway, add_noise="disable",
            start_at_step=half, end_at_step=self.LAST, return_with_leftover_noise="disable", **shared,
        )[0]  # fmt: skip


class Hunyuan(Real):
    """HunyuanVideo, whose guidance is an input of the network: cfg is 1."""

    NAME = "HunyuanVideo"
    NETWORKS = (f"{HUNYUAN}/diffusion_models/hunyuan_video_t2v_720p_bf16.safetensors",)
    ENCODERS = (f"{FLUX_TEXT}/clip_l.safetensors", f"{HUNYUAN}/text_encoders/llava_llama3_fp8_scaled.safetensors")
    VAE = f"{HUNYUAN}/vae/hunyuan_video_vae_bf16.safetensors"
    SHIFT, STEPS, CFG, SAMPLER, FPS = 7.0, 20, 1.0, "euler", 24.0
    SIZE = (848, 480, 73)
    GUIDANCE = 6.0
    ABOUT = (
        "**cfg is 1** here, so the negative prompt does nothing: guidance is distilled into this network (*guidance* of "
        "the prompts).\n\n"
        "**Out of memory:** set *weight_dtype* to fp8_e4m3fn in *Load Diffusion Model*, lower *tile_size* and *overlap* in "
        "*VAE Decode (Tiled)*, or lower *length*."
    )

    def load_text(self, kind: str) -> Link:
        files = [file("text_encoders", address) for address in self.ENCODERS]
        first, second = (one["name"] for one in files)
        return self.add(
            "DualCLIPLoader", "Text encoders", models=files, clip_name1=first, clip_name2=second, type="hunyuan_video"
        )[0]

    def text(self, text: str | Link, title: str) -> Link:
        encoded = super().text(text, title)
        return self.add("FluxGuidance", f"Guidance, {title.lower()}", conditioning=encoded, guidance=self.GUIDANCE)[0]

    def decode(self, samples: Link, title: str) -> Link:
        return self.add("VAEDecodeTiled", title, samples=samples, vae=self.vae, tile_size=TILE, temporal_size=64)[0]


class Ltx(Real):
    """LTX-Video 2B, which has a schedule of its own."""

    NAME = "LTX-Video 2B"
    NETWORKS = (f"{HUB}/Lightricks/LTX-Video/resolve/main/ltx-video-2b-v0.9.safetensors",)
    ENCODER = f"{FLUX_TEXT}/t5xxl_fp16.safetensors"
    STEPS, CFG, SAMPLER, FPS = 30, 3.0, "euler", 25.0
    SIZE = (768, 512, 97)
    PROMPT = (
        "A red fox runs through deep fresh snow between tall pine trees. Its thick orange coat moves with every leap, its white "
        "tail tip bobs behind it, and powder snow flies up where its paws land. The camera glides beside the fox at its own "
        "height and keeps it in the middle of the picture, while dark trunks pass by in front and behind. The sun stands low "
        "behind the trees, throws long blue shadows across the snow and lights the edges of the fur. The air is clear and cold, "
        "and fine snow drifts down from the branches. The scene looks like footage from a wildlife documentary."
    )
    NEGATIVE = "poor quality, blurry, jerky motion, smeared movement, flicker, warped body, extra legs, misshapen face"
    ABOUT = (
        "**Prompt:** this model needs a long one: a paragraph about who does what, what it looks like, the camera and the light. "
        "Short prompts give much worse videos."
    )

    def __init__(self, name: str, note: str, prompt: str = ""):
        super().__init__(name, note, prompt)
        texts = self.add("LTXVConditioning", positive=self.positive, negative=self.negative, frame_rate=self.FPS)
        self.positive, self.negative = texts[0], texts[1]

    def load(self) -> tuple[list[Link], Link, Link]:
        files = [file("checkpoints", self.NETWORKS[0])]
        loader = self.add("CheckpointLoaderSimple", models=files, ckpt_name=files[0]["name"])
        return [loader[0]], self.load_text("ltxv"), loader[2]

    def empty(self) -> Link:
        width, height, length = self.SIZE
        return self.add("EmptyLTXVLatentVideo", "Empty latent", width=width, height=height, length=length)[0]

    def sample(self, title: str, models: list[Link], positive: Link | None = None, sampler: str = "") -> Link:
        chosen = self.add("KSamplerSelect", f"Sampler, {title.lower()}", sampler_name=sampler or self.SAMPLER)
        sigmas = self.add("LTXVScheduler", f"Sigmas, {title.lower()}", steps=self.STEPS, latent=self.latent)
        return self.add(
            "SamplerCustom", title, model=models[0], add_noise=True, noise_seed=SEED, cfg=self.CFG, sampler=chosen[0],
            sigmas=sigmas[0], positive=positive or self.positive, negative=self.negative, latent_image=self.latent,
        )[0]  # fmt: skip
