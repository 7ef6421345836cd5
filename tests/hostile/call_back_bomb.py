# A call-back within a call-back, without end.
def is_slope(slope, f, x):
    def again(y):
        return slope(again)

    return slope(again) or is_slope(slope, f, f)
