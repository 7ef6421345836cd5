# A message that runs in the instructor's browser.
def square_grad(x):
    raise ValueError("<script>alert('canary-of-a-script')</script>")
