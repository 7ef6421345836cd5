# A command of the system is run.
import subprocess

print(subprocess.run("touch LEFT; echo canary-of-a-shell", shell=True, capture_output=True, text=True).stdout)
