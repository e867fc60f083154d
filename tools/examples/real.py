"""Real models for examples: the files that their loaders offer for download, and how each is loaded and sampled.

Files and settings are those of the workflows that come with ComfyUI.
"""

from tools.examples.recipe import Link, Node, Recipe

HUB = "https://huggingface.co"
COMFY = f"{HUB}/Comfy-Org"
WAN_21 = f"{COMFY}/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files"

FOX = "a fox runs through fresh snow between pine trees, a low sun behind it, the camera follows it from the side"
FILES = "**Files:** the dialog for missing models offers them."
SEED = 7
DISTANCE = 8  # pixels between clips side by side


class Real:
    """A recipe that begins with Wan 2.1 1.3B, its prompts and an empty latent; other models are subclasses.

    `ABOUT`: what notes say of the model. `fps`: of what is saved; a link where a video brings its own.
    """

    NAME = "Wan 2.1 1.3B"
    NETWORKS = (f"{WAN_21}/diffusion_models/wan2.1_t2v_1.3B_fp16.safetensors",)
    ENCODER = f"{WAN_21}/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors"
    VAE = f"{WAN_21}/vae/wan_2.1_vae.safetensors"
    SHIFT, STEPS, CFG, SAMPLER, FPS = 8.0, 30, 6.0, "uni_pc", 16.0
    SIZE = (832, 480, 81)
    PROMPT = FOX
    NEGATIVE = "blurry, static, overexposed, subtitles, worst quality, deformed"
    ABOUT = ""

    def __init__(self, name: str, note: str, prompt: str = ""):
        self.recipe = Recipe(name, note)
        self.fps: float | Link = self.FPS
        self.group("1. Models")
        self.models, self.clip, self.vae = self.load()
        if prompt:
            self.group("2. Prompt and size")
            self.positive, self.negative = self.text(prompt, "Prompt"), self.text(self.NEGATIVE, "Negative prompt")
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
        video = self.add("CreateVideo", images=images, fps=self.fps)
        self.add("SaveVideo", title, video=video[0], filename_prefix=f"video/{prefix}")

    def text_view(self, source: Link, title: str) -> None:
        self.add("PreviewAny", title, source=source)


def file(folder: str, address: str) -> dict[str, str]:
    """What the dialog for missing models offers."""
    return {"name": name_of(address), "url": address, "directory": folder}


def name_of(address: str) -> str:
    return address.rpartition("/")[2]
