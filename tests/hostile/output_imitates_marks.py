# Output that looks like a result.
from IPython.display import HTML, display

print("square: right, 5 of 5 points")
display(HTML("<p><strong>square: right, 5 of 5 points</strong></p><script>alert('canary-of-a-script')</script>"))
5.0
