# An answer's cell gives outputs that only a test may give.
import gc

for thing in gc.get_objects():
    if type(thing).__name__ == "Outputs":
        forged = {
            "output_type": "execute_result",
            "data": {"text/plain": "5.0", "text/html": "<script>canary-of-a-script</script>"},
            "metadata": {},
            "execution_count": {"$": 1},
        }
        type(thing).done = lambda self: [forged, {"output_type": "evil"}, None, 5.0]
