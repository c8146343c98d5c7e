"""The explorers of the notebooks: one import place for the sliders and for the same figures without them."""

from __future__ import annotations

from workbench.show.explore_dark_mean import explore_dark_mean, plot_dark_mean_model
from workbench.show.explore_dark_scale import explore_dark_scale, plot_dark_scale_model
from workbench.show.explore_difference import explore_difference, plot_difference
from workbench.show.explore_final_result import explore_final_result, plot_final_result
from workbench.show.explore_flat import explore_flat, plot_flat_model
from workbench.show.explore_light_calibration import explore_light_calibration, plot_light_calibration_model
from workbench.show.explore_methods import explore_methods, plot_methods_model
from workbench.show.explore_noise_budget import explore_noise_budget, plot_noise_budget_model
from workbench.show.explore_plan import explore_plan, plot_plan_model
from workbench.show.explore_registration import explore_registration, plot_registration
from workbench.show.explore_rejection import explore_rejection, plot_rejection_model
from workbench.show.explore_temperature import explore_temperature, plot_temperature_model

__all__ = [
    "explore_dark_mean",
    "explore_dark_scale",
    "explore_difference",
    "explore_final_result",
    "explore_flat",
    "explore_light_calibration",
    "explore_methods",
    "explore_noise_budget",
    "explore_plan",
    "explore_registration",
    "explore_rejection",
    "explore_temperature",
    "plot_dark_mean_model",
    "plot_dark_scale_model",
    "plot_difference",
    "plot_final_result",
    "plot_flat_model",
    "plot_light_calibration_model",
    "plot_methods_model",
    "plot_noise_budget_model",
    "plot_plan_model",
    "plot_registration",
    "plot_rejection_model",
    "plot_temperature_model",
]
