"""What the examples on the demo model share: model, prompts, latent, sampler, and clips side by side."""

from tools.examples.recipe import Link, Node, Recipe

MOVING = "a red circle moves left on a white background"
SEED, CFG = 7, 3.0


class Demo:
    """A recipe that begins with the demo model, its prompts and, unless a video is loaded, an empty latent."""

    def __init__(
        self, name: str, note: str, prompt: str = MOVING, empty_latent: bool = True, videos: int = 1, seed: int = SEED,
        cfg: float = CFG, frames: int = 33,
    ):  # fmt: skip
        self.recipe, self.seed, self.cfg = Recipe(name, note), seed, cfg
        self.recipe.group("1. Model and prompt")
        self.loader = self.recipe.add("TA_LoadDemoModel")
        self.model, self.clip, self.vae = (self.loader[output] for output in range(3))
        self.positive = self.text(prompt, "Prompt")
        self.negative = self.text("", "Negative prompt")
        if empty_latent:
            size = {"width": 64, "height": 64, "length": frames, "batch_size": videos}
            self.latent = self.add("EmptyHunyuanLatentVideo", "Empty latent", **size)[0]

    def group(self, title: str) -> None:
        self.recipe.group(title)

    def add(self, kind: str, title: str = "", **inputs) -> Node:
        return self.recipe.add(kind, title, **inputs)

    def text(self, text: str, title: str) -> Link:
        return self.add("CLIPTextEncode", title, clip=self.clip, text=text)[0]

    def sample(self, title: str, model: Link, positive: Link | None = None) -> Link:
        """The latent of a run with the shared seed."""
        return self.add(
            "KSampler", title, model=model, seed=self.seed, steps=20, cfg=self.cfg, sampler_name="euler", scheduler="simple",
            positive=positive or self.positive, negative=self.negative, latent_image=self.latent,
        )[0]  # fmt: skip

    def decode(self, samples: Link, title: str) -> Link:
        return self.add("VAEDecode", title, samples=samples, vae=self.vae)[0]

    def baseline_and(self, what: str, plain: Link, treated: Link) -> tuple[Link, Link]:
        """Both clips, decoded and saved next to each other."""
        clips = self.decode(plain, "Decode baseline"), self.decode(treated, f"Decode with {what}")
        prefix = f"baseline_and_{what.lower().replace(' ', '_')}"
        self.side_by_side(*clips, title=f"Baseline | with {what}", prefix=prefix)
        return clips

    def side_by_side(self, *clips: Link, title: str, prefix: str) -> None:
        """Saves clips next to each other, enlarged: the thumbnail, unless another node was named before."""
        row = clips[0]
        for clip in clips[1:]:
            row = self.add("ImageStitch", "Side by side", image1=row, image2=clip, spacing_width=4)[0]
        large = self.add("ImageScaleBy", "Enlarge", image=row, upscale_method="bicubic", scale_by=4.0)[0]
        options = {"filename_prefix": prefix, "fps": 12.0, "lossless": False, "quality": 90}
        shown = self.add("SaveAnimatedWEBP", title, images=large, **options)
        self.recipe.cover = self.recipe.cover or shown.id

    def text_view(self, source: Link, title: str) -> None:
        self.add("PreviewAny", title, source=source)

    def save(self, image: Link, title: str, prefix: str) -> Node:
        return self.add("SaveImage", title, images=image, filename_prefix=prefix)
