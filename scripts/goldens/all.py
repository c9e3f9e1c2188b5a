"""Remakes all goldens: /usr/bin/python3 scripts/goldens/all.py, in about a minute on one core.

Runs every script beside it whose docstring begins with "Writes", each in a process of its own. They need Debian's
python3-torch (1.13.1) and python3-torchvision (0.14.1); no test does.
"""

import ast
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

for script in sorted(HERE.glob("*.py")):
    if (ast.get_docstring(ast.parse(script.read_text())) or "").startswith("Writes"):
        print(script.name, flush=True)
        subprocess.run([sys.executable, "-W", "ignore", script], check=True)
