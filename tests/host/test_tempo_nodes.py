"""The nodes that make schedules: text, the host's curve, sound, several in a row, bad input, a running server."""

import math

import pytest
import torch
from comfy.nested_tensor import NestedTensor
from comfy_extras.nodes_curve import CurveEditor
from node_calls import run

from pack.nodes.audio_schedule import AudioScheduleNode
from pack.nodes.temporal_schedule import TemporalScheduleNode
from pack.py.core.errors import TemporalAttentionError
from pack.py.prompts.curves import Clip
from tools.client import Client
from tools.server import Server

from comfy_api.input import LinearCurve, MonotoneCubicCurve  # isort: skip (after comfy_api.latest)

CLIP = Clip(9, 4)


def sound(*times, seconds=4.0, rate=16000):
    """An AUDIO with a burst of noise at each time."""
    waveform = torch.zeros(1, 2, int(seconds * rate))
    for time in times:
        burst = torch.randn(rate // 10, generator=torch.Generator().manual_seed(0))
        waveform[..., int(time * rate) : int(time * rate) + len(burst)] = burst
    return {"waveform": waveform, "sample_rate": rate}


def test_text_becomes_masks_and_a_picture(temporary_folder):
    output = TemporalScheduleNode.execute("cat: 0=0, 1s=1\nwindow", 16.0, "hold", 33, 4)
    tempo, image = output.args
    assert tempo.phrases == ("cat", "window") and output.ui and list(temporary_folder.iterdir())
    assert tempo.masks(CLIP).tolist() == [[0] * 4 + [0.25] + [1] * 4, [1] * 9]
    assert image.shape[0] == 1 and image.shape[2:] == (1024, 3)


def test_the_default_interpolation_is_the_nodes_and_a_line_may_have_its_own():
    text = "cat: 0=0, 32=1\ndog [hold]: 0=0, 32=1"
    cat, dog = run(TemporalScheduleNode, schedule=text, interpolation="linear")[0].masks(CLIP)
    assert cat[4] == pytest.approx(14.5 / 32) and dog[4] == 0


def test_schedules_add_up():
    first, _ = run(TemporalScheduleNode, schedule="cat: 1s=1", fps=24.0)
    second, _ = run(AudioScheduleNode, audio=sound(1.0), phrase=" drum  hits ", tempo=first)
    third, _ = run(TemporalScheduleNode, schedule="dog", tempo=second)
    assert third.phrases == ("cat", "drum hits", "dog") and third.tracks[:2] == second.tracks
    with pytest.raises(TemporalAttentionError, match="'cat' twice"):
        run(TemporalScheduleNode, schedule="Cat", tempo=third)


@pytest.mark.parametrize("curve", [LinearCurve([(0, 0), (0.5, 1), (1, 0.25)]), MonotoneCubicCurve([(0, 0), (0.3, 1), (1, 0)])])
def test_a_curve_of_the_host(curve):
    tempo, _ = run(TemporalScheduleNode, curve=curve, curve_phrase="cat")
    (values,) = [track.curve.at_frames(CLIP) for track in tempo.tracks]
    assert values.tolist() == pytest.approx([curve.interp(frame / 32) for frame in range(33)], abs=2e-3)


def test_a_curve_as_the_editor_gives_it_and_as_an_api_prompt_writes_it():
    written = {"points": [[0, 1], [1, 0]], "interpolation": "linear"}
    for curve in (written, CurveEditor.execute(written).args[0]):
        tempo, _ = run(TemporalScheduleNode, schedule="dog", curve=curve, curve_phrase="cat")
        assert tempo.phrases == ("cat", "dog") and tempo.masks(CLIP)[0, 0] == 1
    with pytest.raises(TemporalAttentionError, match="a phrase for the curve"):
        run(TemporalScheduleNode, curve=written, curve_phrase=" ")


@pytest.mark.parametrize("schedule,said", [("", "no phrase at all"), ("# cat", "no phrase"), ("cat: 2m=1", r"line 1, column 7")])
def test_bad_text(schedule, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(TemporalScheduleNode, schedule=schedule)


def test_what_lies_past_the_end_is_logged(caplog):
    run(TemporalScheduleNode, schedule="cat: 0=0, 9s=1")
    assert "Schedule of cat: 9s=1 lies past the end and is never reached (the last video frame is 80, at 5 s)." in caplog.text


def test_the_picture_takes_its_frames_from_the_latent():
    """The same picture by a latent of 9 frames as by 33 video frames; a nested latent's first part is the video."""
    video = torch.zeros(1, 16, 9, 8, 8)
    by_frames = run(TemporalScheduleNode, schedule="cat: 0=0, 1s=1", frames=33)[1]
    for latent in (video, NestedTensor([video, torch.zeros(1, 8, 40)])):
        assert torch.equal(run(TemporalScheduleNode, schedule="cat: 0=0, 1s=1", samples={"samples": latent})[1], by_frames)
    with pytest.raises(TemporalAttentionError, match="latent of a video"):
        run(TemporalScheduleNode, schedule="cat", samples={"samples": torch.zeros(1, 4, 8, 8)})


@pytest.mark.parametrize("frames,latent_frames", [(1, 1), (2, 2), (33, 9), (34, 10)])
def test_frames_that_do_not_fill_a_latent_frame_still_take_one(frames, latent_frames):
    by_frames = run(TemporalScheduleNode, schedule="cat", frames=frames)[1]
    by_latent = run(TemporalScheduleNode, schedule="cat", samples={"samples": torch.zeros(1, 16, latent_frames, 8, 8)})[1]
    assert torch.equal(by_frames, by_latent)


def test_sounds_are_wanted_where_they_begin():
    tempo, image = run(AudioScheduleNode, audio=sound(1.0, 3.1), phrase="drum", frames=65)
    mask = tempo.masks(Clip(17, 4))[0]
    wanted = {1 + math.floor((time * 16 - 1) / 4) for time in (1.04, 3.14)}
    assert set((mask > 0.7).nonzero()[:, 0].tolist()) == wanted and image.shape[2:] == (1024, 3)


@pytest.mark.parametrize(
    "audio,said",
    [
        (sound(), "silence"),
        ({"waveform": torch.ones(2, 1, 9), "sample_rate": 8000}, r"\[2, 1, 9\]"),
        ({"waveform": torch.ones(1, 2, 0), "sample_rate": 8000}, "not empty"),
    ],
)
def test_bad_sound(audio, said):
    with pytest.raises(TemporalAttentionError, match=said):
        run(AudioScheduleNode, audio=audio, phrase="drum")


def test_sound_needs_a_phrase():
    with pytest.raises(TemporalAttentionError, match="a phrase of the prompt"):
        run(AudioScheduleNode, audio=sound(1.0), phrase=" ")


def test_in_a_running_server(tmp_path):
    schedule = {"schedule": "cat: 0=0, 1s=1", "fps": 16, "interpolation": "linear", "frames": 33, "temporal_compression": 4}
    curve = {"points": [[0, 1], [1, 0]], "interpolation": "linear"}
    prompt = {
        "1": {"class_type": "TA_TemporalSchedule", "inputs": {**schedule, "curve_phrase": "dog", "curve": ["2", 0]}},
        "2": {"class_type": "CurveEditor", "inputs": {"curve": curve}},
        "3": {
            "class_type": "TA_TemporalSchedule",
            "inputs": {**schedule, "schedule": "red", "curve_phrase": "", "tempo": ["1", 0]},
        },
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 1]}},
    }
    with Server(tmp_path, cpu=True) as server:
        client = Client(server.url)
        shown = {output.node: output.content for output in client.outputs(client.follow(client.queue(prompt)))}
    assert shown["4"][:8] == b"\x89PNG\r\n\x1a\n" and shown["3"][:8] == shown["4"][:8]
