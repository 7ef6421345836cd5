# Types whose names are code, markup or very long.
def square_grad(x):
    return type("<script>" * 1000, (), {})()


def inverse(x):
    raise type("SystemExit'; import os", (Exception,), {})("x")
