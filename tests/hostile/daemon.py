# A process that outlives the run.
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(4)
        open("LEFT", "w").close()
        os._exit(0)
    os._exit(0)
