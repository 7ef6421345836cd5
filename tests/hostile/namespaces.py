# Namespaces and mounts of its own.
# stock: no
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000 | 0x00020000) == 0:
    print("canary-of-a-namespace")
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
    print("canary-of-a-mount")
if libc.umount2(b"/proc", 2) == 0:
    print("canary-of-a-mount")
