"""What tests of the frame attention estimators share: all three, queries and keys, and how results are compared."""

import numpy as np
import pytest
import torch
from reference import double
from torch.testing import assert_close

from pack.py.maths.frame_attention import exact, pooled, same_position

ESTIMATORS = {"same_position": same_position, "pooled": pooled, "exact": exact}
TOLERANCE = 1e-5

every_estimator = pytest.mark.parametrize("name", ESTIMATORS)


def queries_and_keys(shape, seed=0, size=1.5, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return tuple((size * torch.randn(shape, generator=generator)).to(dtype) for _ in range(2))


def close(got, wanted, tolerance=TOLERANCE):
    """Every field equals the reference and is float32."""
    for field in ("matrix", "h_row", "rho"):
        value, expected = getattr(got, field), getattr(wanted, field)
        assert value.dtype == torch.float32 and tuple(value.shape) == expected.shape, field
        assert np.abs(double(value) - expected).max() <= tolerance, field


def same(a, b, tolerance=5e-6):
    for field in ("matrix", "h_row", "rho"):
        assert_close(getattr(a, field), getattr(b, field), atol=tolerance, rtol=0)
