# A cell that never ends.
# slow
while True:
    pass
