"""Profiles: `ci` in the default suite, `nightly` with `make properties`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

COMMON = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
# In the default suite a failure is not made smaller: that takes minutes.
settings.register_profile("ci", max_examples=30, derandomize=True, phases=[Phase.generate], **COMMON)
settings.register_profile("nightly", max_examples=1000, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
