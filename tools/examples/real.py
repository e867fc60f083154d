"""Real models for examples: the files that their loaders offer for download, and how each is loaded and sampled.

Files and settings are those of the workflows that come with ComfyUI.
"""

from tools.examples.recipe import Link, Node, Recipe

HUB = "https://huggingface.co"
COMFY = f"{HUB}/Comfy-Org"
WAN_21 = f"{COMFY}/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files"
WAN_22 = f"{COMFY}/Wan_2.2_ComfyUI_Repackaged/resolve/main/split_files"
HUNYUAN = f"{COMFY}/HunyuanVideo_repackaged/resolve/main/split_files"
FLUX_TEXT = f"{HUB}/comfyanonymous/flux_text_encoders/resolve/main"

NEGATIVE = "blurry, static, overexposed, subtitles, worst quality, deformed"
FOX = "a fox runs through fresh snow between pine trees, a low sun behind it, the camera follows it from the side"
FILES = "**Files:** the dialog for missing models offers them. "
SEED = 7
DISTANCE, TILE = 8, 256


class Real:
    """A recipe that begins with Wan 2.1 1.3B, its prompts and an empty latent; other models are subclasses."""

    NAME = "Wan 2.1 1.3B"
    NETWORKS = (f"{WAN_21}/diffusion_models/wan2.1_t2v_1.3B_fp16.safetensors",)
    ENCODER = f"{WAN_21}/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors"
    VAE = f"{WAN_21}/vae/wan_2.1_vae.safetensors"
    SHIFT, STEPS, CFG, SAMPLER, FPS = 8.0, 30, 6.0, "uni_pc", 16.0
    SIZE = (832, 480, 81)

    def __init__(self, name: str, note: str, prompt: str = ""):
        self.recipe = Recipe(name, note)
        self.group("1. Models")
        self.models, self.clip, self.vae = self.load()
        if prompt:
            self.group("2. Prompt and size")
            self.positive, self.negative = self.text(prompt, "Prompt"), self.text(NEGATIVE, "Negative prompt")
            self.latent = self.empty()

    def load(self) -> tuple[list[Link], Link, Link]:
        """Networks with their shift, the text encoder and the VAE."""
        networks = []
        for address in self.NETWORKS:
            network = self.add("UNETLoader", models=[file("diffusion_models", address)], unet_name=name_of(address))
            networks.append(self.add("ModelSamplingSD3", model=network[0], shift=self.SHIFT)[0])
        clip = self.load_text("wan")
        return networks, clip, self.add("VAELoader", models=[file("vae", self.VAE)], vae_name=name_of(self.VAE))[0]

    def load_text(self, kind: str) -> Link:
        """The text encoder of the video model."""
        files = [file("text_encoders", self.ENCODER)]
        return self.add("CLIPLoader", "Text encoder", models=files, clip_name=name_of(self.ENCODER), type=kind)[0]

    def empty(self) -> Link:
        """An empty latent of the model's usual size."""
        width, height, length = self.SIZE
        return self.add("EmptyHunyuanLatentVideo", "Empty latent", width=width, height=height, length=length)[0]

    def group(self, title: str) -> None:
        self.recipe.group(title)

    def add(self, kind: str, title: str = "", **inputs) -> Node:
        return self.recipe.add(kind, title, **inputs)

    def text(self, text: str | Link, title: str) -> Link:
        return self.add("CLIPTextEncode", title, clip=self.clip, text=text)[0]

    def sample(self, title: str, models: list[Link], positive: Link | None = None, sampler: str = "") -> Link:
        """The latent of a run with the shared seed."""
        return self.add(
            "KSampler", title, model=models[0], seed=SEED, steps=self.STEPS, cfg=self.CFG, sampler_name=sampler or self.SAMPLER,
            scheduler="simple", positive=positive or self.positive, negative=self.negative, latent_image=self.latent,
        )[0]  # fmt: skip

    def decode(self, samples: Link, title: str) -> Link:
        return self.add("VAEDecode", title, samples=samples, vae=self.vae)[0]

    def baseline_and(self, what: str, plain: Link, treated: Link, prefix: str) -> tuple[Link, Link]:
        """Both clips, decoded and saved next to each other."""
        clips = self.decode(plain, "Decode baseline"), self.decode(treated, f"Decode with {what}")
        self.side_by_side(*clips, title=f"Baseline | with {what}", prefix=prefix)
        return clips

    def side_by_side(self, *clips: Link, title: str, prefix: str) -> None:
        """Saves clips next to each other as one video."""
        row = clips[0]
        for clip in clips[1:]:
            row = self.add("ImageStitch", "Side by side", image1=row, image2=clip, spacing_width=DISTANCE)[0]
        self.save(row, title, prefix)

    def save(self, images: Link, title: str, prefix: str) -> None:
        video = self.add("CreateVideo", images=images, fps=self.FPS)
        self.add("SaveVideo", title, video=video[0], filename_prefix=f"video/{prefix}")

    def text_view(self, source: Link, title: str) -> None:
        self.add("PreviewAny", title, source=source)


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

    def load_text(self, kind: str) -> Link:
        files = [file("text_encoders", address) for address in self.ENCODERS]
        first, second = (one["name"] for one in files)
        return self.add(
            "DualCLIPLoader", "Text encoders", models=files, clip_name1=first, clip_name2=second, type="hunyuan_video"
        )[0]

    def text(self, text: str | Link, title: str) -> Link:
        encoded = super().text(text, title)
        return self.add("FluxGuidance", f"Guidance of the {title.lower()}", conditioning=encoded, guidance=self.GUIDANCE)[0]

    def decode(self, samples: Link, title: str) -> Link:
        return self.add("VAEDecodeTiled", title, samples=samples, vae=self.vae, tile_size=TILE, temporal_size=64)[0]


class Ltx(Real):
    """LTX-Video 2B, which has a schedule of its own."""

    NAME = "LTX-Video 2B"
    NETWORKS = (f"{HUB}/Lightricks/LTX-Video/resolve/main/ltx-video-2b-v0.9.safetensors",)
    ENCODER = f"{FLUX_TEXT}/t5xxl_fp16.safetensors"
    STEPS, CFG, SAMPLER, FPS = 30, 3.0, "euler", 25.0
    SIZE = (768, 512, 97)

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


def file(folder: str, address: str) -> dict[str, str]:
    """What the dialog for missing models offers."""
    return {"name": name_of(address), "url": address, "directory": folder}


def name_of(address: str) -> str:
    return address.rpartition("/")[2]
