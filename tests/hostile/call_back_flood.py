# Call-backs without end.
# slow
def is_slope(slope, f, x):
    while True:
        slope(x)
