"""Initial Noise Nursing in the real host: exact where it is off, gradients against differences, and what it says to bad input."""

import comfy.model_management
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.nested_tensor import NestedTensor
from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, Noise_RandomNoise
from families import conditioning, sample, tiny_networks
from node_calls import run

from pack.nodes._nursing import Compared, Evaluation, NursedNoise, reference_run
from pack.nodes.initial_noise_nursing import InitialNoiseNursingNode
from pack.nodes.video_synopsis_prompt import VideoSynopsisPromptNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.core.noise import NoiseDistribution
from pack.py.core.store import RUNS
from pack.py.demo import network, text, vae
from pack.py.host.attach import attach
from pack.py.host.denoise_once import denoise_once
from pack.py.host.noise_gradient import NoiseGradients
from pack.py.techniques.frame_attention_match import FrameAttentionTap
from pack.py.techniques.record import FrameAttentionRecorder
from pack.py.techniques.sth import SpectralTransportHomeostasis

FAMILIES = ["wan_t2v", "ltxv", "hunyuan_video_t2v", "mochi", "cosmos"]
PROMPT = "a red circle moves left on a white background"


@pytest.fixture(scope="module")
def demo():
    """MODEL, CLIP, and the latent of a clip [1, 16, 9, 8, 8]."""
    with torch.inference_mode():
        model, clip = network.load_model(), text.load_clip()
        ramp = torch.linspace(0, 1, 33)[:, None, None, None].expand(33, 64, 64, 3)
        return model, clip, vae.load_vae().encode(ramp)


def prompt(clip, words=PROMPT):
    return [[clip.encode_from_tokens(clip.tokenize(words)), {}]]


def nursed(demo, **given):
    model, clip, reference = demo
    standard = {
        "model": model, "positive": prompt(clip), "noise": Noise_RandomNoise(3), "iterations": 2,
        "latent_image": {"samples": torch.zeros(1, 16, 9, 8, 8)}, "reference": {"samples": reference},
    }  # fmt: skip
    return run(InitialNoiseNursingNode, **standard | given)


def test_it_lowers_the_distance_and_the_same_seed_gives_the_same_noise(demo):
    latent = {"samples": torch.zeros(2, 16, 9, 8, 8)}
    (noise, image), (again, _) = (nursed(demo, latent_image=latent, iterations=4) for _ in range(2))
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and noise.seed == 3
    found, plain = noise.generate_noise(latent), Noise_RandomNoise(3).generate_noise(latent)
    assert found.shape == plain.shape and found.dtype == plain.dtype and torch.isfinite(found).all()
    assert not torch.equal(found, plain) and torch.equal(found, again.generate_noise(latent))
    assert not torch.equal(noise.distribution.gamma[0], noise.distribution.gamma[1])


def test_a_traced_model_is_not_traced_while_noise_is_nursed(demo):
    model, clip, video = demo
    recorder = FrameAttentionRecorder()
    RUNS.clear()
    nursed(demo, model=attach(model, recorder), iterations=1)
    assert RUNS.find(video, recorder) is None


@pytest.mark.parametrize("off", [{"iterations": 0}, {"learning_rate": 0.0}])
def test_off_is_the_hosts_noise_to_the_bit(demo, off):
    latent, given = {"samples": torch.zeros(1, 16, 9, 8, 8)}, Noise_RandomNoise(3)
    noise, image = nursed(demo, noise=given, **off)
    assert noise is given and image.shape[2:] == (1024, 3)
    white = given.generate_noise(latent)
    through = NursedNoise(given, NoiseDistribution.white(white))
    assert torch.equal(through.generate_noise(latent), comfy.sample.prepare_noise(latent["samples"], 3))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_gradient_equals_a_difference_quotient(name):
    """Of the mean squared frame attention at x_t, made by hand from one prediction that is held constant."""
    tiny = tiny_networks()[name]
    model, positive = tiny.load(), conditioning(tiny, 1)
    shape = tiny.latent
    empty, noise = torch.zeros(shape), comfy.sample.prepare_noise(torch.zeros(shape), 5)
    tap, seen = FrameAttentionTap(), []

    def loss(calls):
        terms = [(number * note.value.double().square()).sum() for number, call in enumerate(calls, 1) for note in call.notes]
        seen.append(sum(terms).detach())
        return sum(terms)

    gradient = NoiseGradients(model, empty, positive, 0.6, tap, False)(noise, loss)
    assert gradient.shape == noise.shape and float(gradient.abs().max()) > 0
    sampling = model.get_model_object("model_sampling")
    first, later = float(sampling.sigma_max), float(sampling.percent_to_sigma(0.6))
    assert later < first

    def at(moved):
        """The loss at x_t of this noise, with the prediction of the plain noise."""
        reached = []

        def stepped(model, x, sigmas, extra_args=None, callback=None, disable=None):
            """x_t from the plain prediction, then one call of the network on it."""
            ones = x.new_ones(len(x))
            predicted = model(x, ones * first, **extra_args)
            start = sampling.noise_scaling(sigmas[:1], moved.to(x), torch.zeros_like(x), max_denoise=True)
            reached.append(model(predicted + later / first * (start - predicted), ones * later, **extra_args))
            return x

        guider = comfy.samplers.CFGGuider(attach(model, tap))
        guider.inner_set_conds({"positive": positive})
        returned = guider.sample(
            noise, empty, comfy.samplers.KSAMPLER(stepped), torch.tensor([first, later, 0.0]), disable_pbar=True, seed=0
        )
        records = [r for r in RUNS.find(returned, tap).trace.records if r.step.sigma < first * 0.999]
        squares = [n * torch.from_numpy(r.values["frames_by_head"]).double().square().sum() for n, r in enumerate(records, 1)]
        return float(sum(squares))

    direction = torch.sign(gradient) * gradient.abs().clamp(min=gradient.abs().median())
    direction /= direction.norm()
    h = 0.05
    quotient = (at(noise + h * direction) - at(noise - h * direction)) / (2 * h)
    assert at(noise) == pytest.approx(float(seen[0]), rel=1e-4)
    assert quotient == pytest.approx(float((gradient * direction).sum()), rel=0.03)


@pytest.mark.parametrize("name", ["svd", "animatediff"])
def test_a_batch_that_is_the_frames_of_a_video_is_refused(name):
    tiny = tiny_networks()[name]
    latent = {"samples": torch.ones(tiny.latent)}
    given = {"model": tiny.load(), "positive": conditioning(tiny, 1), "noise": Noise_RandomNoise(1)}
    with pytest.raises(TemporalAttentionError, match="whose batch is the frames"):
        run(InitialNoiseNursingNode, **given, latent_image=latent, reference=latent)


def test_what_the_model_predicts_anyway_is_at_no_distance(demo):
    """The reference is the model's own prediction from this noise: noised with it, it is x_t itself."""
    model, clip, video = demo
    tap, positive = FrameAttentionTap(), prompt(clip)
    own = denoise_once(model, {"samples": video}, positive, 0.0, 3)  # at sigma 1 nothing of the video is left
    gradients = NoiseGradients(model, torch.zeros_like(video), positive, 0.5, tap, False)
    distances = []
    for reference in (own, {"samples": video}):
        trace = reference_run(model, positive, reference, Compared(0.5, tap), 3)
        distances.append(float(Evaluation(gradients, trace)(comfy.sample.prepare_noise(video, 3))[0]))
    assert distances[0] < 1e-4 < 0.1 * distances[1]


def test_it_acts_with_techniques_on_the_model_and_leaves_nothing_behind(tiny, model):
    latent = {"samples": torch.zeros(tiny.latent)}
    reference = {"samples": comfy.sample.prepare_noise(latent["samples"], 8)}
    before = sample(tiny, model)
    given = {
        "positive": conditioning(tiny, 1), "noise": Noise_RandomNoise(1), "latent_image": latent, "reference": reference,
        "iterations": 3, "kl_weight": 0.0,
    }  # fmt: skip
    treated = attach(model, SpectralTransportHomeostasis(tau=2.0, layer_weight="flat"))
    (plain, _), (other, _) = (run(InitialNoiseNursingNode, model=each, **given) for each in (model, treated))
    assert not torch.equal(plain.generate_noise(latent), other.generate_noise(latent))
    assert torch.equal(sample(tiny, model), before)
    options = model.model_options["transformer_options"]
    assert "temporal_attention" not in options and "wrappers" not in options
    assert not comfy.model_management.in_training


def test_an_interrupt_ends_it(demo):
    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        nursed(demo)
    comfy.model_management.interrupt_current_processing(False)


def test_what_memory_it_takes_is_said_once(demo, caplog):
    with caplog.at_level("INFO", "temporal_attention"):
        nursed(demo, iterations=3)
    assert caplog.text.count("gradients need about") == 1


def latents(*shape):
    return {"samples": torch.zeros(shape)}


@pytest.mark.parametrize(
    "given,said",
    [
        ({"latent_image": latents(1, 16, 1, 8, 8)}, "at least 2 frames"),
        ({"latent_image": latents(1, 16, 5, 8, 8)}, "reference of 5 latent frames"),
        ({"reference": {"samples": torch.ones(2, 16, 9, 8, 8)}}, "one reference video"),
        ({"reference": latents(1, 16, 9, 8, 8)}, "Encode a video"),
        ({"latent_image": {"samples": NestedTensor([torch.zeros(1, 16, 9, 8, 8), torch.zeros(1, 8, 4)])}}, "without its audio"),
        ({"reference": {"samples": NestedTensor([torch.zeros(1, 16, 9, 8, 8), torch.zeros(1, 8, 4)])}}, "without its audio"),
        ({"blocks": "77"}, "block 77"),
        ({"kl_weight": -1.0}, "kl_weight"),
    ],
)
def test_bad_input(demo, given, said):
    with pytest.raises(TemporalAttentionError, match=said):
        nursed(demo, **given)


def test_several_conditionings_and_another_latent_are_refused(demo):
    with pytest.raises(TemporalAttentionError, match="and one conditioning"):
        nursed(demo, positive=prompt(demo[1]) * 2)
    noise, _ = nursed(demo, iterations=1)
    with pytest.raises(TemporalAttentionError, match="Connect the same latent"):
        noise.generate_noise({"samples": torch.zeros(1, 16, 9, 8, 4)})


def test_a_reference_of_another_size_and_noise_without_a_seed_of_its_own(demo):
    noise, _ = nursed(demo, reference={"samples": torch.randn(1, 16, 9, 4, 12)}, noise=Noise_EmptyNoise(), iterations=1)
    assert torch.isfinite(noise.generate_noise({"samples": torch.zeros(1, 16, 9, 8, 8)})).all()


def test_key_prompts_work(demo):
    model, clip, _ = demo
    model, positive, *_ = run(VideoSynopsisPromptNode, model=model, clip=clip, synopsis="a red circle\na blue circle")
    noise, _ = nursed(demo, model=model, positive=positive, iterations=1)
    assert torch.isfinite(noise.distribution.mean).all()
