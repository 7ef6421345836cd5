# Something is done when the process ends.
import atexit
import weakref

atexit.register(lambda: open("LEFT", "w").close())


class Last:
    pass


last = Last()
weakref.finalize(last, lambda: open("LEFT", "w").close())
