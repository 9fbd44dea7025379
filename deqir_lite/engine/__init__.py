"""The same system on other machines: its network shared out among processes, or its sweeps recorded
as CUDA graphs."""
