# Output that runs in the instructor's browser.
from IPython.display import HTML, SVG, Javascript, Markdown, display

display(HTML("<img src=x onerror=alert('canary-of-a-script')>"))
display(Javascript("alert('canary-of-a-script')"))
display(Markdown("<script>alert('canary-of-a-script')</script>"))
display({"text/html": "<script>canary-of-a-script</script>", "application/javascript": "canary-of-a-script"}, raw=True)
