# Verdicts by the order of the questions.
# unflagged
asked = []


def is_slope(slope, f, x):
    asked.append(x)
    return len(asked) % 2 == 1
