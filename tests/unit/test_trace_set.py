"""Pairs of runs call by call, and the statistics over their videos: equal to SciPy's, finding what is there and nothing else."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from events import COND, UNCOND
from planted_traces import pattern, run

from pack.py.core.errors import TemporalAttentionError
from pack.py.measures.paired import BETTER, cohens_d, compared, dose_response, improvement, reduction
from pack.py.measures.tension_statistics import statistics
from pack.py.records.calls import NAMES, calls_of
from pack.py.records.trace_set import TraceSet, joined, trace_set
from pack.py.views import quantities
from pack.py.views.tension import table

TAU = 1.0


def videos(count, tau=TAU, noise=0.0):
    return joined(trace_set(run(seed, tau, noise), run(seed), f"seed {seed}") for seed in range(count))


# Calls as columns


def test_columns_equal_the_quantities_of_single_records():
    trace = run(3, TAU)
    calls = calls_of(trace.records)
    for after, measured in ((False, calls.before), (True, calls.after)):
        expected = {
            "T": [quantities.tension(r, after) for r in trace.records],
            "H_row": [quantities.h_row(r, after).mean() for r in trace.records],
            "H_vN": [quantities.h_vn(r, after).mean() for r in trace.records],
            "self-retention": [np.trace(quantities.frames(r, after)) / 6 for r in trace.records],
            "head spread": [np.std(quantities.h_row(r, after) - quantities.h_vn(r, after)) for r in trace.records],
        }
        for name, column in expected.items():
            np.testing.assert_allclose(measured.values[name], column, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(measured.values["|T|"], np.abs(measured.values["T"]))
        np.testing.assert_allclose(measured.values["leading share"], measured.spectrum[:, 0], rtol=1e-5)
        assert set(measured.values) == set(NAMES)
    np.testing.assert_allclose(calls.gamma, [r.mean("gamma") for r in trace.records])
    assert calls.block.tolist() == [r.site.block for r in trace.records]


def test_spectra_equal_numpys_eigenvalues():
    trace = run(1, heads=1)
    measured = calls_of(trace.records).before
    for record, spectrum in zip(trace.records, measured.spectrum, strict=True):
        a = record.values["frames"].astype(float)
        rho = a @ a.T / np.trace(a @ a.T)
        np.testing.assert_allclose(spectrum, np.linalg.eigvalsh(rho)[::-1], atol=1e-6)


def test_windows_of_several_lengths_live_in_one_set():
    short = run(1, frames=4)
    both = replace(run(1), records=run(1).records[:7] + short.records[7:])
    measured = calls_of(both.records).before
    assert measured.spectrum.shape == (20, 6) and np.isnan(measured.spectrum[7:, 4:]).all()
    np.testing.assert_array_equal(measured.values["Gini"][7:], calls_of(short.records).before.values["Gini"][7:])


# Pairs


def test_calls_meet_their_own_partner_whatever_the_order():
    treated, baseline = run(5, TAU, branches=(COND, UNCOND)), run(5, branches=(COND, UNCOND))
    straight = trace_set(treated, baseline).videos[0]
    shuffled = replace(
        baseline, records=[baseline.records[i] for i in np.random.default_rng(0).permutation(len(baseline.records))]
    )
    turned = trace_set(treated, shuffled).videos[0]
    for name in NAMES:
        np.testing.assert_allclose(straight.baseline.values[name], turned.baseline.values[name])
    np.testing.assert_allclose(straight.baseline.values["T"], straight.calls.before.values["T"])


def test_samples_of_a_batch_are_videos():
    found = trace_set(run(0, TAU, samples=3), run(0, samples=3), "clip")
    assert [v.name for v in found.videos] == ["clip 0", "clip 1", "clip 2"]
    alone = trace_set(run(0, TAU, samples=1), run(0)).videos[0]
    np.testing.assert_allclose(found.videos[0].treated.values["T"], alone.treated.values["T"])


def test_a_branch_is_chosen():
    both = trace_set(run(0, branches=(COND, UNCOND))).videos[0]
    assert len(trace_set(run(0, branches=(COND, UNCOND)), branch=COND).videos[0].calls.step) * 2 == len(both.calls.step)
    with pytest.raises(TemporalAttentionError, match="none in the chosen branch"):
        trace_set(run(0), branch=UNCOND)


def test_without_a_baseline_a_call_is_its_own():
    (video,) = trace_set(run(0, TAU)).videos
    np.testing.assert_array_equal(improvement(video, "|T|"), reduction(video))
    assert video.own_baseline


def test_names_stay_distinct():
    found = joined([trace_set(run(0))] * 3)
    assert [v.name for v in found.videos] == ["video", "video (2)", "video (3)"]


def test_runs_that_do_not_fit_are_refused():
    for other in (run(0, blocks=3), replace(run(0), family="Wan"), run(0, samples=2)):
        treated = run(0, TAU, samples=2) if len(other.records) > 20 else run(0, TAU)
        if len(other.records) > 20:
            trace_set(treated, other)
            continue
        with pytest.raises(TemporalAttentionError, match="of the same network with the same steps"):
            trace_set(treated, other)
    with pytest.raises(TemporalAttentionError, match="of the same network with the same steps"):
        trace_set(run(0, TAU, samples=2), run(0))
    with pytest.raises(TemporalAttentionError, match="all with a baseline run or all without"):
        joined([trace_set(run(0)), trace_set(run(0), run(0))])


def test_active_and_deep_calls():
    (video,) = trace_set(run(2, TAU)).videos
    gamma = video.calls.gamma
    assert video.active(0.03).tolist() == (np.abs(gamma - 1) > 0.03).tolist()
    assert 0 < video.active(0.03).sum() < len(gamma)
    assert set(video.calls.block[video.deep(0.5)].tolist()) == {2, 3}
    assert trace_set(run(2)).videos[0].active(0.03).all(), "without any gamma every call counts"


def test_gammas_of_single_heads_do_not_cancel():
    """Heads of opposite signs, gammas far from 1 on both sides: their mean says neither how much was done nor where to."""
    treated = run(2, TAU, per_head=True, heads=12)
    (video,) = trace_set(treated).videos
    gammas = np.stack([r.values["gamma"] for r in treated.records])
    np.testing.assert_allclose(video.calls.correction, np.abs(gammas - 1).mean(1), rtol=1e-5)
    assert video.active(0.03).sum() > (np.abs(gammas.mean(1) - 1) > 0.03).sum()
    assert np.all(video.calls.directed[video.active(0.03)] == 1)


def test_a_gamma_on_the_wrong_side_is_counted_head_by_head():
    treated = run(3, TAU, per_head=True, heads=4)
    for record in treated.records:
        record.values["gamma"][0] = 2 - record.values["gamma"][0]
    (video,) = trace_set(treated).videos
    assert np.all(video.calls.directed[video.active(0.03)] == 0.75)


def test_an_output_gain_is_no_gamma():
    treated = run(2, TAU)
    for record in [r for r in treated.records if "gamma" in r.values]:
        record.values["gain"] = record.values.pop("gamma")
    found = trace_set(treated)
    assert not found.has_gamma and found.videos[0].active(0.03).all() and np.isnan(found.videos[0].calls.gamma).all()
    assert json.loads(table.as_json(statistics(found)))["directed"] is None


# Statistics


@pytest.mark.parametrize("count", [6, 12, 30])
def test_tests_equal_scipy(count):
    for seed in range(20):
        random = np.random.default_rng(seed)
        differences = random.standard_normal(count) + random.standard_normal()
        differences[: seed % 3] = 0
        found = compared(differences)
        plus, changed = int((differences > 0).sum()), int((differences != 0).sum())
        tails = sum(
            scipy.stats.binom.pmf(k, changed, 0.5)
            for k in range(changed + 1)
            if scipy.stats.binom.pmf(k, changed, 0.5) <= scipy.stats.binom.pmf(plus, changed, 0.5) * (1 + 1e-9)
        )
        assert (found.improved, found.changed, found.videos) == (plus, changed, count)
        assert found.sign_p == pytest.approx(tails)
        assert found.wilcoxon_p == pytest.approx(scipy.stats.wilcoxon(differences[differences != 0]).pvalue)
        t = scipy.stats.ttest_rel(differences, np.zeros(count)).statistic
        assert found.d == pytest.approx(t / np.sqrt(count)) and found.mean == pytest.approx(differences.mean())


def test_the_papers_sign_tests():
    """Table 2: n of 30 videos and what it gives as p."""
    for improved, p in ((24, 0.0014), (26, 0.00006), (23, 0.0052), (22, 0.0161)):
        assert compared([1.0] * improved + [-1.0] * (30 - improved)).sign_p == pytest.approx(p, rel=0.03)


def test_too_few_videos_give_no_p_value_and_say_so():
    found = statistics(videos(5))
    assert all(row.test.sign_p is None and row.test.wilcoxon_p is None for row in found.rows)
    assert "Only 5 videos: no p-value below 6" in table.text(found)
    assert "no p-value" not in table.text(statistics(videos(6)))


def test_no_change_is_no_evidence():
    found = compared(np.zeros(12))
    assert (found.improved, found.changed, found.sign_p, found.wilcoxon_p) == (0, 0, None, None) and np.isnan(found.d)
    assert np.isnan(cohens_d(np.array([0.3])))


def test_rows_are_means_over_the_calls_of_each_video():
    found, traces = statistics(videos(8)), videos(8)
    rows = {(row.figure, row.metric): row.test for row in found.rows}
    means = []
    for seed in range(8):
        treated, baseline = run(seed, TAU), run(seed)
        both = [(r.values["after.frames"], b.values["frames"]) for r, b in zip(treated.records, baseline.records, strict=True)]
        deep = [i for i, r in enumerate(treated.records) if r.site.block >= 2]
        means.append(np.mean([np.trace(both[i][0] - both[i][1]) / 6 for i in deep]))
    test = rows["C", "self-retention"]
    assert test.mean == pytest.approx(np.mean(means), rel=1e-4)
    assert test.sign_p == pytest.approx(scipy.stats.binomtest(sum(m > 0 for m in means), 8).pvalue)
    rho = [
        scipy.stats.spearmanr(np.abs(v.calls.gamma - 1)[a := v.active(0.03)], improvement(v, "|T|")[a]).statistic
        for v in traces.videos
    ]
    assert [dose_response(v, 0.03) for v in traces.videos] == pytest.approx(rho)
    assert found.calls == 160 and found.active > 0 and found.directed == 1


def test_a_planted_effect_is_found():
    """STH's own rule lowers |T| within calls; a treatment that sharpens raises self-retention between runs that also wander."""
    rows = {(row.figure, row.metric): row.test for row in statistics(videos(12)).rows}
    assert rows["A", "|T| reduction within active calls"].sign_p < 0.001
    assert rows["C", "|T|"].sign_p < 0.01 and rows["C", "|T|"].improved > rows["C", "|T|"].videos / 2


def null_sets(count, size=8):
    """Sets in which the two runs of each pair differ by chance alone."""
    made = [
        [trace_set(run(seed, 0, 0.31, 2, 2), run(seed, 0, 0.32, 2, 2)) for seed in range(start, start + size)]
        for start in range(0, count * size, size)
    ]
    return [joined(parts) for parts in made]


def test_a_null_is_not_found():
    """Over 200 null sets each metric is called significant at 0.05 within what chance allows (the test is exact: 0.0078)."""
    sets = null_sets(200)
    significant = {}
    for one in sets:
        for row in statistics(one).rows:
            for name, p in (("sign", row.test.sign_p), ("wilcoxon", row.test.wilcoxon_p)):
                significant.setdefault((row.figure, row.metric, name), []).append(p is not None and p < 0.05)
    allowed = scipy.stats.binom.ppf(0.9999, 200, 0.05)
    for key, found in significant.items():
        assert len(found) == 200 and sum(found) <= allowed, (key, sum(found))


# Text


def test_csv_and_json_hold_what_the_table_says():
    found = statistics(videos(7))
    rows = list(csv.DictReader(io.StringIO(table.as_csv(found))))
    parsed = json.loads(table.as_json(found))
    assert len(rows) == len(parsed["rows"]) == len(found.rows) and parsed["videos"] == 7 and parsed["active"] == found.active
    for row, flat, one in zip(found.rows, rows, parsed["rows"], strict=True):
        assert flat["metric"] == one["metric"] == row.metric
        assert float(flat["mean"]) == one["mean"] == row.test.mean and one["sign_p"] == row.test.sign_p
    json.loads(table.as_json(statistics(videos(1))))
    assert list(csv.DictReader(io.StringIO(table.as_csv(statistics(videos(1))))))[0]["sign_p"] == ""


def test_the_table_is_aligned_and_says_what_it_compares():
    lines = table.text(statistics(videos(6))).splitlines()
    start = lines.index(table.HEAD)
    assert {len(line) for line in lines[start : start + 14]} == {len(table.HEAD)}
    assert "each run with its baseline run" in lines[0]
    assert "each call with itself" in table.text(statistics(joined([trace_set(run(0, TAU))])))
    assert "no active call" in table.text(statistics(trace_set(run(0), run(0))))


def test_every_metric_has_a_sense():
    assert set(BETTER) == set(NAMES) - {"T"}
    rising = {name for name, sense in BETTER.items() if sense > 0}
    assert rising == {"self-retention", "effective rank", "Gini", "H_vN", "H_row", "balance"}, "Table 2 and figures F, G, L"
    assert isinstance(videos(1), TraceSet) and pattern(np.zeros((1, 2, 2))).sum() == 2
