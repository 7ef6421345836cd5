# Hundreds of outputs, each as large as it may be.
from IPython.display import display

for number in range(3000):
    display(number)
    print("y" * 1000)
