from mixer import kernels

pytest_plugins = ["tests.support.parallel"]

# What is compiled is what users run. Where it is not, the tests run the numpy twins; `tests/mixer/kernels` runs both.
kernels.load(checked=True)
