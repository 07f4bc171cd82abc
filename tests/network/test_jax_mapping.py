"""The table from JAX's arrays to PyTorch's tensors."""

import numpy as np
import pytest
from jax_files import SIZES, mapping_rows

from locoexport.models import locotrack
from locoexport.network.jax_mapping import JAX_VARIANTS, JaxParameter, parameters_of


@pytest.mark.parametrize("size", SIZES)
def test_every_row_is_the_published_correspondence(size: str) -> None:
    found = {(p.module, p.leaf, p.shape, p.key) for p in parameters_of(SIZES[size])}
    expected = {
        (row["module"], row["leaf"], tuple(row["shape"]), row["torch"])
        for row in mapping_rows(size)
    }
    assert found == expected


@pytest.mark.parametrize("variant", JAX_VARIANTS)
def test_every_tensor_is_filled(variant: str) -> None:
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in locotrack.create_model(variant).state_dict().items()
    }
    found = {p.key: p.to_torch(np.zeros(p.shape, np.float32)).shape for p in parameters_of(variant)}
    assert found == shapes


def test_kernels_and_matrices_are_turned() -> None:
    kernel = np.arange(24, dtype=np.float64).reshape(2, 3, 4, 1)
    turned = JaxParameter("m", "w", kernel.shape, "k").to_torch(kernel)
    assert turned.dtype == np.float32
    assert turned[0, 1, 1, 2] == kernel[1, 2, 1, 0]
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert JaxParameter("m", "w", matrix.shape, "k").to_torch(matrix)[2, 1] == matrix[1, 2]


def test_other_variants_are_not_in_jax() -> None:
    with pytest.raises(KeyError):
        parameters_of("b0")
