"""How hard Hypothesis looks: `HYPOTHESIS_PROFILE=ci` for many examples, `dev` (the default) for a quick answer."""

import os

from hypothesis import HealthCheck, settings

# No deadline in either: how long an example takes is for the benchmarks to say, not for the tests.
settings.register_profile("dev", deadline=None, derandomize=False)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=False,  # where `CI` is set, Hypothesis would always try the same examples
    max_examples=300,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # a loaded machine is no failure
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
