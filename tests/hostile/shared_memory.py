# Something is left in shared memory for the next submission.
# stock: no
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.shmget(4242, 4096, 0o1666) >= 0:
    print("canary-of-shared-memory")
for place in ("/dev/shm/left-for-the-next", "/dev/left-for-the-next", "/left-for-the-next", "/tmp/left-for-the-next"):
    try:
        with open(place) as file:
            print("canary-of-shared-memory", file.read())
    except OSError:
        pass
    try:
        with open(place, "w") as file:
            file.write("answers")
    except OSError as error:
        print(error)
