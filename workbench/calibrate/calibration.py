"""What turns a light into a calibrated one, prepared once for all lights that belong to the same masters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.calibrate.light_rules import check_light
from workbench.calibrate.uncertainty import light_sigma

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import DTypeLike, NDArray

    from workbench.calibrate.flat_field import FlatField
    from workbench.calibrate.master_frame import MasterFrame
    from workbench.calibrate.uncertainty import ErrorModel

    Plane = NDArray[Any]

__all__ = ["Calibrated", "Calibration"]

_NOTHING = np.empty((1, 1), np.float32)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A calibrated light.

    Parameters
    ----------
    values
        Shape (y, x) [adu]; NaN where the flat is masked.
    n_masked
        Pixels at which the flat is not above 0.
    n_negative
        Pixels that came out below 0, pedestal included.
    n_clipped
        Those of them that were set to 0: all where clipping was asked for, else none.
    clipped
        Which; None without clipping.
    pedestal
        What was added [adu].
    k
        The factor of the dark.
    sigma
        Uncertainty of the values, one standard deviation [adu]; None where it was not asked for.
    """

    values: Plane
    n_masked: int
    n_negative: int
    n_clipped: int
    clipped: NDArray[np.bool_] | None
    pedestal: float
    k: float
    sigma: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Calibration:
    r"""What turns a light into a calibrated one: ``(L - sum of w_i M_i) mean(F) / F + pedestal``.

    Made by :mod:`workbench.calibrate.lights`, which looks at the masters; then applied to as many lights as belong to
    them.

    Parameters
    ----------
    masters
        What is subtracted, each with its weight: the dark; or the bias and the dark.
    flat
        What is divided by; None divides by nothing.
    k
        The factor of the dark.
    pedestal
        Added at the end [adu].
    clip
        Whether what is below 0 then becomes 0.
    words
        What is done, in a line.
    """

    masters: tuple[tuple[float, MasterFrame], ...]
    flat: FlatField | None
    k: float
    pedestal: float
    clip: bool
    words: str

    @property
    def shape(self) -> tuple[int, int] | None:
        """Rows and columns of the lights; None where no master tells."""
        if self.masters:
            return self.masters[0][1].shape
        return None if self.flat is None else self.flat.shape

    def rows(self, light: Plane, start: int, out: Plane, *, clip: bool | None = None) -> int:
        """Calibrate rows of a light from ``start`` on into ``out``; return how many pixels came out below 0.

        Parameters
        ----------
        light
            Shape (rows, columns) [adu], any type of numbers.
        start
            Of the whole light's rows, the first of these.
        out
            Of the same shape, float32 or float64; the arithmetic is in float64.
        clip
            Other than :attr:`clip`.
        """
        from workbench.calibrate.light_loops import calibrate_rows  # imports Numba  # noqa: PLC0415

        part = slice(start, start + light.shape[0])
        planes = [master.signal[part] for _, master in self.masters] + [_NOTHING, _NOTHING]
        weights = [weight for weight, _ in self.masters] + [0.0, 0.0]
        response, mean = (_NOTHING, 1.0) if self.flat is None else (self.flat.response[part], self.flat.mean)
        n = len(self.masters)
        numbers = (weights[0], weights[1], mean, float(self.pedestal))
        given = (n > 0, n > 1, self.flat is not None, self.clip if clip is None else clip)
        return int(calibrate_rows(light, planes[0], planes[1], response, numbers, given, out))

    def apply(
        self, light: Plane | xr.DataArray, *, errors: ErrorModel | None = None, dtype: DTypeLike = np.float32
    ) -> Calibrated:
        """Calibrate one light.

        Parameters
        ----------
        light
            Shape (y, x) [adu]; it is not changed.
        errors
            What its uncertainty is made of; None gives none.
        dtype
            Of the values: float32, or float64.

        Raises
        ------
        InputError
            When the light has another shape than the masters, or its bias is subtracted already.
        """
        pixels = np.asarray(light)
        check_light(pixels, self)
        out = np.empty(pixels.shape, dtype)
        below = self.rows(pixels, 0, out, clip=False)
        clipped = None
        if self.clip:
            clipped = out < 0
            out[clipped] = 0
        return Calibrated(
            values=out,
            n_masked=0 if self.flat is None else self.flat.n_masked,
            n_negative=below,
            n_clipped=below if self.clip else 0,
            clipped=clipped,
            pedestal=self.pedestal,
            k=self.k,
            sigma=None if errors is None else light_sigma(pixels, self, errors),
        )
