# Outputs without end.
from IPython.display import display

for _ in range(20_000):
    display(_)
