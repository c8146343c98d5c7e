"""The explorers of the notebooks: one import place for the sliders and for the same figures without them."""

from __future__ import annotations

from workbench.show.explore_dark_mean import explore_dark_mean, plot_dark_mean_model
from workbench.show.explore_difference import explore_difference, plot_difference

__all__ = ["explore_dark_mean", "explore_difference", "plot_dark_mean_model", "plot_difference"]
