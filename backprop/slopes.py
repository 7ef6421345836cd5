"""The slope of a function of one variable, three ways; the third says how far off it may be.

    complex_step    exact, where the function takes complex numbers
    noise_level     how much of the function's value is rounding
    ridders         differences extrapolated to a step of zero, with a bound; one_sided the same at one side of a kink

Sources:

- C. J. F. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Adv. Eng. Software 4 (1982) 75-76.
- J. J. Moré, S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011) 1292-1314 (ECNoise).
- W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Rev. 40 (1998) 110-112.
- J. R. R. A. Martins, P. Sturdza, J. J. Alonso, "The complex-step derivative approximation", ACM Trans. Math. Softw.
  29 (2003) 245-262.
"""

import math

import numpy as np

__all__ = ["complex_step", "noise_level", "one_sided", "ridders"]


def complex_step(phi, h=1e-30):
    """phi'(0) as Im phi(ih)/h: no subtraction, hence no cancellation, hence a step as small as one likes.

    phi must take a complex argument and be analytic; the error is then O(h^2) and rounding.
    (Squire and Trapp 1998; Martins, Sturdza and Alonso 2003.)
    """
    return float(np.imag(phi(1j * h))) / h


def noise_level(phi, eps):
    """Standard deviation of the rounding noise in phi near 0 (ECNoise, Moré and Wild 2011).

    Differences of order k of a smooth function at a tiny spacing vanish; what is left is noise, whose variance a
    k-th difference multiplies by (2k)!/(k!)^2.  The points lie on one side of 0, where a kink may be.
    """
    spacing = eps ** (2 / 3)
    near, far = phi(spacing), phi(8 * spacing)
    while abs(far - near) <= 4 * np.spacing(abs(near)) and spacing < 1e-5:
        spacing *= 1000  # phi is a staircase, and these points are on one step or two
        near, far = phi(spacing), phi(8 * spacing)
    values = np.array([near, *(phi(k * spacing) for k in range(2, 8)), far])
    if not np.isfinite(values).all():
        return 8 * eps * abs(phi(0.0))
    rounding = np.finfo(values.dtype).eps * np.abs(values).max() / 2
    differences, estimates = values, [rounding]
    for order in range(1, 7):
        differences = np.diff(differences)
        if order >= 3:
            shrink = math.factorial(order) ** 2 / math.factorial(2 * order)
            estimates.append(np.sqrt(shrink * np.mean(differences**2)))
    return max(estimates)


def ridders(phi, noise, start=0.05, levels=16):
    """phi'(0) by central differences at start, start/4, start/16, ..., extrapolated to a step of zero (Ridders 1982).

    Returns (value, bound, jump).  The bound is the spread among neighbours in the table plus noise/h.  jump is the
    difference of the slopes to the right and to the left of 0, where the values show one: extrapolation by itself
    would converge, confidently, to the average of the two slopes of a kink.
    """
    centre = phi(0.0)
    above, jumps = [], []
    value, bound, jump, unseen_jump = np.nan, np.inf, 0.0, np.inf
    for level in range(levels):
        h = start / 4.0**level
        right, left = phi(h), phi(-h)
        rounding = 4 * max(noise, _rounding_of(right - centre), _rounding_of(left - centre)) / h
        if not (np.isfinite(right) and np.isfinite(left)):
            above, jumps = [], []
            continue
        row = [(right - left) / (2 * h)]
        for j, older in enumerate(above):
            row.append(row[j] + (row[j] - older) / (16 ** (j + 1) - 1))
            spread = max(abs(row[j + 1] - row[j]), abs(row[j + 1] - older)) + rounding
            overruled = j == 0 and abs(row[1] - value) > bound + spread  # longer steps have crossed a kink
            if spread <= bound or overruled:
                value, bound = row[j + 1], spread
        jumps.append((right - 2 * centre + left) / h)
        above = row
        if len(jumps) >= 3:
            jump, settled, doubt = _lasting_jump(jumps, 4 * rounding, 1e-4 * abs(value))
            unseen_jump = min(unseen_jump, doubt)
            open_to_doubt = bound + (0.0 if jump else unseen_jump / 2)
            if settled and (max(bound, 1e-2 * open_to_doubt) <= 1e-9 * abs(value) or rounding > open_to_doubt / 4):
                break
    return value, bound + (0.0 if jump else unseen_jump / 2), jump


def one_sided(phi, noise, start=0.05, levels=12):
    """phi'(0+), the slope to the right of 0, as (value, bound): forward differences, extrapolated like Ridders'."""
    centre, above = phi(0.0), []
    value, bound = np.nan, np.inf
    for level in range(levels):
        h = start / 4.0**level
        change = phi(h) - centre
        if not np.isfinite(change):
            above = []
            continue
        rounding = 4 * max(noise, _rounding_of(change)) / h
        row = [change / h]
        for j, older in enumerate(above):
            row.append(row[j] + (row[j] - older) / (4 ** (j + 1) - 1))
            spread = max(abs(row[j + 1] - row[j]), abs(row[j + 1] - older)) + rounding
            overruled = j == 0 and abs(row[1] - value) > bound + spread  # longer steps have crossed a kink
            if spread <= bound or overruled:
                value, bound = row[j + 1], spread
        above = row
        if level >= 2 and (bound <= 1e-9 * abs(value) or rounding > bound / 4):
            break
    return value, bound


def _rounding_of(change):
    """The noise that comes with a change of the loss: near a minimum, more than there is at the minimum itself."""
    return 16 * np.finfo(change.dtype).eps * abs(change)


def _lasting_jump(jumps, rounding, small):
    """(jump, settled, doubt): what remains at step 0 of the difference between the right and left slopes, whether
    that is settled, and how large a jump could go unseen in the noise.

    On a smooth function the difference is h phi''(0) + O(h^3), and the first term is extrapolated away.  At a kink
    it stays, from one step to the next; a kink at some distance makes it change until the steps are shorter.
    """
    last = (4 * jumps[-1] - jumps[-2]) / 3
    before = (4 * jumps[-2] - jumps[-3]) / 3
    stays = abs(last - before) <= abs(last) / 4 + 4 * rounding
    fades = abs(last) <= min(abs(before) / 16, small)
    # A kink a little to one side lets the difference drift; the drift belongs to what the slopes leave open.
    jump = abs(last) + 2 * abs(last - before) if stays and abs(last) > 8 * rounding else 0.0
    return jump, stays or fades, abs(64 * last - before) / 63
