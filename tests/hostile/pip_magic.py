# Packages are installed.
%pip install --quiet LEFT
import os

os.system("touch LEFT")
