"""The figures of the tension study by name.

Temporal State Transport in Video Generation (Tang et al.), appendix A to M; figure D is the dashboard's.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ...records.trace_set import TraceSet
from .a_reduction import tension_reduction
from .b_direction import direction
from .c_videos import per_video_tests
from .common import Look
from .e_densities import densities
from .f_spectrum import spectra
from .g_improvement import per_call_improvement
from .h_where import where_improved
from .i_effect_size import effect_sizes
from .j_ranked import ranked_videos
from .k_head_spread import head_spread
from .l_balance import balance
from .m_dose import dose

PLOTS: dict[str, Callable[[TraceSet, Look], Tensor]] = {
    "A: tension before and after": tension_reduction,
    "B: direction of gamma": direction,
    "C: each video": per_video_tests,
    "E: distributions": densities,
    "F: spectrum": spectra,
    "G: improvement of each call": per_call_improvement,
    "H: where it improves": where_improved,
    "I: effect size against tension": effect_sizes,
    "J: videos ranked by tension": ranked_videos,
    "K: agreement of heads": head_spread,
    "L: balance of future and past": balance,
    "M: dose and response": dose,
}
