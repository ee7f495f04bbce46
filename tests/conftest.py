"""What all tests share: how hard hypothesis tries, and that Ctrl-C interrupts.

The profile `default` gives the same examples on every run, so that a red build means a new bug.
The profile `thorough` looks for old ones: `HYPOTHESIS_PROFILE=thorough make test`.
The profile `coverage` is for `make coverage`, where all runs several times as slowly,
and which asks only whether each branch is reached.
The profile `mutation` is for `make mutants`, which runs the same tests thousands of times.
"""

import os
import signal

from hypothesis import HealthCheck, Phase, settings

# A deadline would measure the machine, and a database would make a run depend on the ones before.
settings.register_profile(
    "default", derandomize=True, deadline=None, database=None, max_examples=100
)
settings.register_profile(
    "thorough",
    derandomize=False,
    deadline=None,
    database=None,
    max_examples=2000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "coverage",
    settings.get_profile("default"),
    max_examples=25,
    suppress_health_check=[HealthCheck.filter_too_much],
)
settings.register_profile(
    "mutation",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],  # that it fails is enough
    suppress_health_check=list(HealthCheck),  # a mutant is slow, or filters too much
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell has what it runs in the background ignore Ctrl-C, and so would all that the tests start:
# those that press it would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
