"""``python -m deqir_lite``: the command line."""

from deqir_lite.cli import app

if __name__ == "__main__":
    app(prog_name="deqir-lite")
