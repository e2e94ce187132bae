"""The programs that the worker is compared with, each as its users would write it; they run in `.venv-bench`."""
