"""The two meter nodes in the host: tiny vision models of its own classes, progress, interrupt, bad input, a running server."""

import clips  # of tests/unit
import comfy.clip_vision
import comfy.model_management
import comfy.utils
import pytest
import torch
from comfy.nested_tensor import NestedTensor
from node_calls import call
from vision_models import CONFIGS, DINO_3, vision_model

from pack.nodes.chunk_consistency import ChunkConsistencyNode
from pack.nodes.video_measures import VideoMeasuresNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.host import vision
from pack.py.host.watch import Watch
from tools.client import Client, PromptError
from tools.server import Server


@pytest.fixture(scope="module", params=CONFIGS)
def named_vision(request):
    with torch.inference_mode():
        return request.param, vision_model(CONFIGS[request.param])


@pytest.fixture
def bar(monkeypatch):
    """(value, total) of every step of a progress bar."""
    seen = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda value, total, *_, **__: seen.append((value, total)))
    return seen


def test_similarity_by_ssim_needs_nothing_else(temporary_folder):
    output = call(ChunkConsistencyNode, images=clips.jumping())
    report, image = output.args
    assert "13 frames, counted from 0; 4 latent frames, of 4 frames each but the first" in report and "by SSIM" in report
    assert "less alike than both neighbouring pairs: 3 of 3 borders" in report
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)
    assert output.ui and list(temporary_folder.iterdir())


@pytest.mark.parametrize("nested", [False, True], ids=["video", "video and audio"])
def test_the_latent_tells_the_compression(nested):
    latent = torch.zeros(1, 4, 3, 6, 8)
    samples = {"samples": NestedTensor([latent, torch.zeros(1, 8, 25)]) if nested else latent}
    report = call(ChunkConsistencyNode, images=clips.jumping(compression=6, chunks=2), samples=samples).args[0]
    assert "3 latent frames, of 6 frames each but the first" in report
    assert "less alike than both neighbouring pairs: 2 of 2 borders" in report


def test_a_latent_of_another_clip_is_refused():
    with pytest.raises(TemporalAttentionError, match=r"1 \+ 4 r frames from 5 latent frames, but got 12"):
        call(ChunkConsistencyNode, images=clips.still(12), samples={"samples": torch.zeros(1, 4, 5, 6, 8)})


def test_similarity_by_every_vision_model(named_vision):
    name, model = named_vision
    clip = clips.jumping(by=3.0)
    report, _ = call(ChunkConsistencyNode, images=clip, clip_vision=model).args
    assert f"by {name}, in percent" in report and "3 of 3 borders" in report
    _, vectors = vision.embed(model, clip, Watch(1))
    assert vectors.shape[0] == 13 and vectors.ndim == 2 and vectors.dtype == torch.float64
    single = model.encode_image(clip[5:6], crop=False)["image_embeds"].double()
    torch.testing.assert_close(vectors[5:6], single.mean(1) if single.ndim == 3 else single, atol=1e-4, rtol=1e-4)
    still = call(ChunkConsistencyNode, images=clips.still(), clip_vision=model).args[0]
    assert "across a border: pairs 2, mean 100.000" in still


def test_the_whole_frame_is_seen():
    model, clip = vision_model(CONFIGS["DINOv2"]), clips.still(3)
    clip[1, :, :6] = 0
    _, vectors = vision.embed(model, clip, Watch(1))
    assert not torch.allclose(vectors[0], vectors[1], atol=1e-3), "a centre crop of 48 x 64 would not see the first six columns"


def test_a_model_that_cannot_encode_images_is_refused():
    model = vision_model(DINO_3)
    for given in ({"clip_vision": model}, {"subject_vision": model}, {"background_vision": model}):
        node, images = (ChunkConsistencyNode, "images") if "clip_vision" in given else (VideoMeasuresNode, "before")
        with pytest.raises(TemporalAttentionError, match="CLIP, SigLIP, SigLIP 2, DINOv2, but got dinov3"):
            call(node, **{images: clips.still()}, **given)


def test_one_clip():
    output = call(VideoMeasuresNode, before=clips.flickering(0.04))
    report, image = output.args
    assert "flicker                      4.000  lower is steadier" in report.splitlines()
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3) and output.ui


def test_two_clips_and_two_vision_models():
    clip, dino = (vision_model(CONFIGS[name]) for name in ("CLIP", "DINOv2"))
    before, after = clips.flickering(0.04), clips.still()
    report, _ = call(VideoMeasuresNode, before=before, after=after, subject_vision=dino, background_vision=clip).args
    rows = {line[:24].strip(): line[24:].split() for line in report.splitlines()}
    assert rows["flicker"][:3] == ["4.000", "0.000", "-4.000"]
    for name, model in (("subject", "DINOv2"), ("background", "CLIP")):
        assert float(rows[f"{name} consistency"][0]) < 100 and rows[f"{name} consistency"][1] == "100.000"
        assert f"{name} consistency: {model} embeddings of whole frames" in report


def test_clips_of_different_length_are_refused():
    with pytest.raises(TemporalAttentionError, match="as many frames as before, 9, but got 8"):
        call(VideoMeasuresNode, before=clips.still(9), after=clips.still(8))


@pytest.mark.parametrize("visions", [0, 2])
@pytest.mark.parametrize("two", [False, True])
def test_the_bar_runs_once_from_start_to_end(bar, two, visions):
    model = vision_model(CONFIGS["CLIP"])
    given = {"after": clips.still()} if two else {}
    given |= {"subject_vision": model, "background_vision": model} if visions else {}
    call(VideoMeasuresNode, before=clips.still(), **given)
    values = [value for value, _ in bar]
    assert values == sorted(values) and bar[-1][0] == bar[-1][1] and len({total for _, total in bar}) == 1


@pytest.mark.parametrize("with_vision", [False, True])
@pytest.mark.parametrize("node,images", [(ChunkConsistencyNode, "images"), (VideoMeasuresNode, "before")])
def test_an_interrupt_stops_it(node, images, with_vision):
    socket = "clip_vision" if node is ChunkConsistencyNode else "subject_vision"
    given = {socket: vision_model(CONFIGS["CLIP"])} if with_vision else {}
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        call(node, **{images: clips.still()}, **given)


def test_in_a_running_server(tmp_path):
    consistency = {"images": ["1", 0], "temporal_compression": 2, "samples": ["2", 0]}
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 33, "color": 4210752}},
        "2": {"class_type": "EmptyHunyuanLatentVideo", "inputs": {"width": 64, "height": 48, "length": 33, "batch_size": 1}},
        "3": {"class_type": "TA_ChunkConsistency", "inputs": consistency},
        "4": {"class_type": "TA_VideoMeasures", "inputs": {"before": ["1", 0], "after": ["1", 0]}},
        "5": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
        "6": {"class_type": "PreviewAny", "inputs": {"source": ["4", 0]}},
    }
    with Server(tmp_path, cpu=True) as server:
        client = Client(server.url)
        shown = {output.node: output.content for output in client.outputs(client.follow(client.queue(prompt)))}
        assert "33 frames, counted from 0; 9 latent frames, of 4 frames each but the first" in shown["5"]
        assert shown["6"].startswith("33 frames; means over frames, in percent")
        assert shown["3"][:8] == shown["4"][:8] == b"\x89PNG\r\n\x1a\n"
        prompt["1"]["inputs"]["batch_size"] = 1
        with pytest.raises(PromptError, match="at least 3 frames in"):
            client.follow(client.queue(prompt))
