# Call-backs with arguments that no function expects.
def is_slope(slope, f, x):
    for argument in ("x" * 10**6, [[]], {}, None, is_slope, np.zeros(10**6), object(), 10**100):
        try:
            slope(argument, out=argument, __class__=1)
        except Exception as error:
            found = error
    return found.__traceback__.tb_frame.f_back.f_globals.get("questions") is None
